"""Templates that make or read a dict."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import Template

TABLES = (
    Template("tally_numbers", "Count how often each number comes.", """\
def $f($xs):
    $d = {}
    for $x in $xs:
        $d[$x] = $d.get($x, 0) + 1
    return $d
""", "ints"),
    Template("tally_letters", "Count how often each letter comes.", """\
def $f($s):
    $d = {}
    for $c in $s:
        $d[$c] = $d.get($c, 0) + 1
    return $d
""", "text", unseen=True),
    Template("tally_lengths", "Count how often each length of word comes.", """\
def $f($xs):
    $d = {}
    for $s in $xs:
        $n = len($s)
        $d[$n] = $d.get($n, 0) + 1
    return $d
""", "words"),
    Template("group_by_rest", "Group the numbers by what is left over from $num.", """\
def $f($xs):
    $d = {}
    for $x in $xs:
        $i = $x % $num
        $d.setdefault($i, []).append($x)
    return $d
""", "ints"),
    Template("group_by_first", "Group the words by their first letter.", """\
def $f($xs):
    $d = {}
    for $s in $xs:
        $c = $s[0]
        $d.setdefault($c, []).append($s)
    return $d
""", "words"),
    Template("places", "Map each number to its last place.", """\
def $f($xs):
    $d = {}
    for $i, $x in enumerate($xs):
        $d[$x] = $i
    return $d
""", "ints"),
    Template("first_places", "Map each number to its first place.", """\
def $f($xs):
    $d = {}
    for $i, $x in enumerate($xs):
        if $x not in $d:
            $d[$x] = $i
    return $d
""", "ints"),
    Template("lengths", "Map each word to its length.", """\
def $f($xs):
    $d = {}
    for $s in $xs:
        $d[$s] = len($s)
    return $d
""", "words", unseen=True),
    Template("paired", "Map the numbers of the first list to those of the second.", """\
def $f($xs, $ys):
    $d = {}
    for $x, $y in zip($xs, $ys):
        $d[$x] = $y
    return $d
""", "ints ints"),
    Template("turned", "Swap the keys and the values.", """\
def $f($d):
    $acc = {}
    for $c, $n in $d.items():
        $acc[$n] = $c
    return $acc
""", "table"),
    Template("raise_values", "Add $num to each value.", """\
def $f($d):
    $acc = {}
    for $c, $n in $d.items():
        $acc[$c] = $n + $num
    return $acc
""", "table"),
    Template("top_key", "Find the first key with the largest value.", """\
def $f($d):
    $acc, $acc2 = "", 0
    for $c, $n in $d.items():
        if $n > $acc2:
            $acc, $acc2 = $c, $n
    return $acc
""", "table"),
    Template("known_sum", "Add up the values of the words, $num for those not there.", """\
def $f($d, $xs):
    $acc = 0
    for $s in $xs:
        $acc += $d.get($s, $num)
    return $acc
""", "table words"),
)  # fmt: skip
