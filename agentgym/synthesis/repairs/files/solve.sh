#!/bin/bash
cp /solution/repair.py /repair/repair.py
