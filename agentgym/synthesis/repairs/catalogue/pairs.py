"""Templates that go over two lists, or over a list beside a number."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import Template

PAIRS = (
    Template("dot", "Add up the products of the pairs.", """\
def $f($xs, $ys):
    $acc = 0
    for $x, $y in zip($xs, $ys):
        $acc += $x * $y
    return $acc
""", "ints ints"),
    Template("gaps", "List the first minus the second of each pair.", """\
def $f($xs, $ys):
    $acc = []
    for $x, $y in zip($xs, $ys):
        $acc.append($x - $y)
    return $acc
""", "ints ints"),
    Template("sums", "List the sum of each pair.", """\
def $f($xs, $ys):
    $acc = []
    for $x, $y in zip($xs, $ys):
        $acc.append($x + $y)
    return $acc
""", "ints ints", unseen=True),
    Template("larger_ones", "List the larger of each pair.", """\
def $f($xs, $ys):
    $acc = []
    for $x, $y in zip($xs, $ys):
        $acc.append(max($x, $y))
    return $acc
""", "ints ints"),
    Template("count_equal", "Count the pairs that are equal.", """\
def $f($xs, $ys):
    $acc = 0
    for $x, $y in zip($xs, $ys):
        if $x == $y:
            $acc += 1
    return $acc
""", "ints ints"),
    Template("count_wins", "Count the pairs with the first above the second.", """\
def $f($xs, $ys):
    $acc = 0
    for $x, $y in zip($xs, $ys):
        if $x > $y:
            $acc += 1
    return $acc
""", "ints ints"),
    Template("in_both", "List the numbers of the first list that are in the second.", """\
def $f($xs, $ys):
    $acc = []
    for $x in $xs:
        if $x in $ys:
            $acc.append($x)
    return $acc
""", "ints ints"),
    Template("in_first_alone", "List the numbers of the first list that are not in the second.", """\
def $f($xs, $ys):
    $acc = []
    for $x in $xs:
        if $x not in $ys:
            $acc.append($x)
    return $acc
""", "ints ints", unseen=True),
    Template("count_over", "Count the numbers above the bound.", """\
def $f($xs, $n):
    $acc = 0
    for $x in $xs:
        if $x > $n:
            $acc += 1
    return $acc
""", "ints int"),
    Template("keep_under", "List the numbers below the bound.", """\
def $f($xs, $n):
    $acc = []
    for $x in $xs:
        if $x < $n:
            $acc.append($x)
    return $acc
""", "ints int"),
    Template("sum_over", "Add up the numbers above the bound.", """\
def $f($xs, $n):
    $acc = 0
    for $x in $xs:
        if $x > $n:
            $acc += $x
    return $acc
""", "ints int", unseen=True),
    Template("rotate", "Move the first few numbers to the end.", """\
def $f($xs, $n):
    return $xs[$n:] + $xs[:$n]
""", "ints size"),
    Template("fits", "Count the first numbers whose sum is within the bound.", """\
def $f($xs, $n):
    $acc, $acc2 = 0, 0
    for $x in $xs:
        $acc2 += $x
        if $acc2 > $n:
            break
        $acc += 1
    return $acc
""", "ints int"),
    Template("joined", "List the first list, then the second from last to first.", """\
def $f($xs, $ys):
    $acc = []
    $acc.extend($xs)
    $acc.extend($ys[::-1])
    return $acc
""", "ints ints"),
)  # fmt: skip
