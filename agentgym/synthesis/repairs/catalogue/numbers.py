"""Templates that calculate with one or two numbers."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import Template

NUMBERS = (
    Template("factorial", "Multiply the numbers from 1 up to the bound.", """\
def $f($n):
    $acc = 1
    for $i in range(1, $n + 1):
        $acc *= $i
    return $acc
""", "size"),
    Template("sum_to", "Add up the numbers from 1 up to the bound.", """\
def $f($n):
    $acc = 0
    for $i in range(1, $n + 1):
        $acc += $i
    return $acc
""", "size"),
    Template("multiples_to", "List the multiples of $num up to the bound.", """\
def $f($n):
    $acc = []
    for $i in range($num, $n + 1, $num):
        $acc.append($i)
    return $acc
""", "int"),
    Template("squares_to", "List the squares from 0 up to the bound.", """\
def $f($n):
    $acc = []
    for $i in range($n + 1):
        $acc.append($i * $i)
    return $acc
""", "size", unseen=True),
    Template("power", "Multiply the number by itself so many times.", """\
def $f($x, $n):
    $acc = 1
    for $i in range($n):
        $acc *= $x
    return $acc
""", "int size"),
    Template("fibonacci", "Find the sum chain 0, 1, 1, 2, 3 at the place.", """\
def $f($n):
    $acc, $acc2 = 0, 1
    for $i in range($n):
        $acc, $acc2 = $acc2, $acc + $acc2
    return $acc
""", "size"),
    Template("digit_sum", "Add up the digits.", """\
def $f($n):
    $acc = 0
    while $n > 0:
        $acc += $n % 10
        $n //= 10
    return $acc
""", "large"),
    Template("digit_count", "Count the digits that are $num or more.", """\
def $f($n):
    $acc = 0
    for $c in str($n):
        if int($c) >= $num:
            $acc += 1
    return $acc
""", "large", unseen=True),
    Template("common_divisor", "Find the largest number that divides both.", """\
def $f($x, $y):
    while $y != 0:
        $x, $y = $y, $x % $y
    return $x
""", "size large"),
    Template("divisors", "List the numbers that divide it.", """\
def $f($n):
    $acc = []
    for $i in range(1, $n + 1):
        if $n % $i == 0:
            $acc.append($i)
    return $acc
""", "size"),
    Template("is_prime", "Tell whether it is a prime number.", """\
def $f($n):
    if $n < 2:
        return False
    for $i in range(2, $n):
        if $n % $i == 0:
            return False
    return True
""", "size"),
    Template("halvings", "Count the halvings until $num or less is left.", """\
def $f($n):
    $acc = 0
    while $n > $num:
        $n //= 2
        $acc += 1
    return $acc
""", "large"),
    Template("grade", "Say high from $num on, low below.", """\
def $f($n):
    if $n >= $num:
        return "high"
    return "low"
""", "int"),
    Template("within", "Keep the number between 0 and $num.", """\
def $f($n):
    if $n < 0:
        return 0
    if $n > $num:
        return $num
    return $n
""", "int"),
    Template("distance", "Find how far the numbers are apart.", """\
def $f($x, $y):
    if $x > $y:
        return $x - $y
    return $y - $x
""", "int int"),
    Template("ceiling", "Count the boxes of $num that hold so many.", """\
def $f($n):
    $acc = $n // $num
    if $n % $num > 0:
        $acc += 1
    return $acc
""", "large"),
    Template("leap", "Tell whether it is a multiple of $num, but not of 10.", """\
def $f($n):
    return $n % $num == 0 and $n % 10 != 0
""", "large", (" and $n % 10 != 0",)),
)  # fmt: skip
