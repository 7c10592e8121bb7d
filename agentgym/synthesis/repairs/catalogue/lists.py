"""Templates that go over one list of numbers."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import Template

LISTS = (
    Template("sum_all", "Add up all the numbers.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        $acc += $x
    return $acc
""", "ints"),
    Template("product", "Multiply all the numbers.", """\
def $f($xs):
    $acc = 1
    for $x in $xs:
        $acc *= $x
    return $acc
""", "ints"),
    Template("sum_squares", "Add up the squares of the numbers.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        $acc += $x * $x
    return $acc
""", "ints"),
    Template("keep_multiples", "List the multiples of $num.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        if $x % $num == 0:
            $acc.append($x)
    return $acc
""", "ints"),
    Template("keep_between", "List the numbers from $num to 20.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        if $x >= $num and $x <= 20:
            $acc.append($x)
    return $acc
""", "ints", (" and $x <= 20", "$x >= $num and ")),
    Template("add_to_each", "List each number plus $num.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        $acc.append($x + $num)
    return $acc
""", "ints"),
    Template("scale_each", "List each number times $num.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        $acc.append($x * $num)
    return $acc
""", "ints"),
    Template("take_from_each", "List each number minus $num.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        $acc.append($x - $num)
    return $acc
""", "ints", unseen=True),
    Template("running_sum", "List the running sums.", """\
def $f($xs):
    $acc, $acc2 = [], 0
    for $x in $xs:
        $acc2 += $x
        $acc.append($acc2)
    return $acc
""", "ints"),
    Template("first_multiple", "Find the first multiple of $num, else 1.", """\
def $f($xs):
    for $x in $xs:
        if $x % $num == 0:
            return $x
    return 1
""", "ints", unseen=True),
    Template("largest", "Find the largest number, else 0.", """\
def $f($xs):
    if not $xs:
        return 0
    $acc = $xs[0]
    for $x in $xs[1:]:
        if $x > $acc:
            $acc = $x
    return $acc
""", "ints"),
    Template("smallest", "Find the smallest number, else 0.", """\
def $f($xs):
    if not $xs:
        return 0
    $acc = $xs[0]
    for $x in $xs[1:]:
        if $x < $acc:
            $acc = $x
    return $acc
""", "ints"),
    Template("spread", "Take the smallest number from the largest.", """\
def $f($xs):
    if len($xs) == 0:
        return 0
    return max($xs) - min($xs)
""", "ints"),
    Template("any_multiple", "Tell whether any number is a multiple of $num.", """\
def $f($xs):
    for $x in $xs:
        if $x % $num == 0:
            return True
    return False
""", "ints"),
    Template("is_rising", "Tell whether each number is above the one before.", """\
def $f($xs):
    for $i in range(1, len($xs)):
        if $xs[$i] <= $xs[$i - 1]:
            return False
    return True
""", "ints"),
    Template("steps", "List how much each number adds to the one before.", """\
def $f($xs):
    $acc = []
    for $i in range(1, len($xs)):
        $acc.append($xs[$i] - $xs[$i - 1])
    return $acc
""", "ints"),
    Template("count_rises", "Count the numbers above the one before.", """\
def $f($xs):
    $acc = 0
    for $i in range(1, len($xs)):
        if $xs[$i] > $xs[$i - 1]:
            $acc += 1
    return $acc
""", "ints", unseen=True),
    Template("first_few", "List the first $num numbers in order.", """\
def $f($xs):
    $acc = $xs[:$num]
    return sorted($acc)
""", "ints"),
    Template("last_few", "Add up the last $num numbers.", """\
def $f($xs):
    $acc = $xs[-$num:]
    return sum($acc)
""", "ints"),
    Template("skip_few", "Add up all but the first $num numbers.", """\
def $f($xs):
    $acc = 0
    for $x in $xs[$num:]:
        $acc += $x
    return $acc
""", "ints"),
    Template("clamp_each", "List each number, $num at most.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        $acc.append(min($x, $num))
    return $acc
""", "ints"),
    Template("floor_each", "List each number, $num at least.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        $acc.append(max($x, $num))
    return $acc
""", "ints", unseen=True),
    Template("mean", "Find the mean, rounded down, else 0.", """\
def $f($xs):
    if not $xs:
        return 0
    return sum($xs) // len($xs)
""", "ints"),
    Template("chunks", "Cut the list into parts of $num.", """\
def $f($xs):
    $acc = []
    for $i in range(0, len($xs), $num):
        $acc.append($xs[$i:$i + $num])
    return $acc
""", "ints"),
    Template("without_repeats", "List the numbers without repeats.", """\
def $f($xs):
    $acc = []
    for $x in $xs:
        if $x not in $acc:
            $acc.append($x)
    return $acc
""", "ints"),
    Template("backwards", "List the numbers from last to first.", """\
def $f($xs):
    $acc = []
    for $i in range(len($xs) - 1, -1, -1):
        $acc.append($xs[$i])
    return $acc
""", "ints"),
    Template("sum_until", "Add up the numbers before the first $num.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        if $x == $num:
            break
        $acc += $x
    return $acc
""", "ints"),
    Template("sum_without", "Add up the numbers other than $num.", """\
def $f($xs):
    $acc = 0
    for $x in $xs:
        if $x == $num:
            continue
        $acc += $x
    return $acc
""", "ints"),
)  # fmt: skip
