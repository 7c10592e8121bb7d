"""Small functions with one bug in each, made without end, for policies that learn on two cores.

template, catalogue   correct functions with holes          names, inputs   what fills holes, what is called with
bugs                  every way to break a template         repair          one instance, and calls that show its bug
family                which are trained on                  folder, files   an instance as a task, and its grader
edit, lexemes         the answer's form, and its pieces     vocabulary      all that the family can say
"""
