"""Templates that go over a text or a list of words."""

from __future__ import annotations

from agentgym.synthesis.repairs.template import Template

TEXTS = (
    Template("count_letter", 'Count the letter "$let" in the text.', """\
def $f($s):
    $acc = 0
    for $c in $s:
        if $c == "$let":
            $acc += 1
    return $acc
""", "text"),
    Template("drop_letter", 'Take the letter "$let" out of the text.', """\
def $f($s):
    $acc = ""
    for $c in $s:
        if $c != "$let":
            $acc += $c
    return $acc
""", "text"),
    Template("backwards_text", "Turn the text around.", """\
def $f($s):
    $acc = ""
    for $c in $s:
        $acc = $c + $acc
    return $acc
""", "text"),
    Template("count_vowels", "Count the vowels of the text.", """\
def $f($s):
    $acc = 0
    for $c in $s:
        if $c in "aeiou":
            $acc += 1
    return $acc
""", "text"),
    Template("drop_vowels", "Take the vowels out of the text.", """\
def $f($s):
    $acc = ""
    for $c in $s:
        if $c not in "aeiou":
            $acc += $c
    return $acc
""", "text", unseen=True),
    Template("keep_vowels", "Keep the vowels of the text alone.", """\
def $f($s):
    $acc = ""
    for $c in $s:
        if $c in "aeiou":
            $acc += $c
    return $acc
""", "text"),
    Template("doubled", "Write each letter of the text twice.", """\
def $f($s):
    $acc = ""
    for $c in $s:
        $acc += $c * 2
    return $acc
""", "text"),
    Template("mirrored", "Tell whether the text reads the same from its end.", """\
def $f($s):
    for $i in range(len($s) // 2):
        if $s[$i] != $s[-$i - 1]:
            return False
    return True
""", "text"),
    Template("shorten", "Cut the text to $num letters.", """\
def $f($s):
    if len($s) <= $num:
        return $s
    return $s[:$num]
""", "text"),
    Template("ending", "Keep the last $num letters of the text.", """\
def $f($s):
    if len($s) < $num:
        return $s
    return $s[-$num:]
""", "text"),
    Template("without_ends", "Take the first and the last letter off.", """\
def $f($s):
    $acc = $s[1:-1]
    return $acc
""", "text"),
    Template("count_starting", 'Count the words that start with "$let".', """\
def $f($xs):
    $acc = 0
    for $s in $xs:
        if $s.startswith("$let"):
            $acc += 1
    return $acc
""", "words"),
    Template("keep_ending", 'List the words that end with "$let".', """\
def $f($xs):
    $acc = []
    for $s in $xs:
        if $s.endswith("$let"):
            $acc.append($s)
    return $acc
""", "words"),
    Template("longest_word", "Find the first of the longest words.", """\
def $f($xs):
    $acc = ""
    for $s in $xs:
        if len($s) > len($acc):
            $acc = $s
    return $acc
""", "words"),
    Template("all_letters", "Add up the lengths of the words.", """\
def $f($xs):
    $acc = 0
    for $s in $xs:
        $acc += len($s)
    return $acc
""", "words"),
    Template("firsts", "Join the first letters of the words.", """\
def $f($xs):
    $acc = ""
    for $s in $xs:
        $acc += $s[0]
    return $acc
""", "words"),
    Template("lasts", "Join the last letters of the words.", """\
def $f($xs):
    $acc = ""
    for $s in $xs:
        $acc += $s[-1]
    return $acc
""", "words", unseen=True),
    Template("in_capitals", "List the words in upper case.", """\
def $f($xs):
    $acc = []
    for $s in $xs:
        $acc.append($s.upper())
    return $acc
""", "words"),
    Template("join_words", 'Join the words with "$sep", in order.', """\
def $f($xs):
    $acc = sorted($xs)
    return "$sep".join($acc)
""", "words"),
    Template("split_field", 'Find the first part before a "$sep", in upper case.', """\
def $f($s):
    $acc = $s.split("$sep")
    return $acc[0].upper()
""", "fields"),
    Template("last_field", 'Find the last part after a "$sep", in lower case.', """\
def $f($s):
    $acc = $s.split("$sep")
    return $acc[-1].lower()
""", "fields", unseen=True),
    Template("count_fields", 'Count the parts between "$sep" that are not empty.', """\
def $f($s):
    $acc = 0
    for $c in $s.split("$sep"):
        if $c != "":
            $acc += 1
    return $acc
""", "fields"),
    Template("pad_left", "Fill the text with blanks from the left to $num letters.", """\
def $f($s):
    while len($s) < $num:
        $s = " " + $s
    return $s
""", "text"),
)  # fmt: skip
