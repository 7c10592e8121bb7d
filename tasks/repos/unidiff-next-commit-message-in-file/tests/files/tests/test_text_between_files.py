"""Text that stands between the files of a patch."""

import pytest

from unidiff import PatchSet

GIT = """diff --git a/one.txt b/one.txt
index 5626abf..814f4a4 100644
--- a/one.txt
+++ b/one.txt
@@ -1 +1 @@
-one
+uno
"""
OTHER_GIT = GIT.replace("one.txt", "three.txt")
PLAIN = """--- two.txt\t2024-01-01 10:00:00
+++ two.txt\t2024-01-02 10:00:00
@@ -1,2 +1,2 @@
 zero
-two
+due
"""
MAIL = "-- \n2.39.2\n\nFrom 1234 Mon Sep 17 00:00:00 2001\nSubject: [PATCH 2/2] More\n\nWhy.\n---\n three.txt | 2 +-\n\n"


def test_signature_is_not_part_of_the_file():
    (file,) = PatchSet(GIT + "-- \n2.39.2\n")
    assert str(file) == GIT.replace("-1 +1", "-1,1 +1,1")
    assert list(file.patch_info) == GIT.splitlines(keepends=True)[:2]


@pytest.mark.parametrize("metadata_only", [False, True])
def test_next_mail_is_not_part_of_the_file(metadata_only):
    first, second = PatchSet(GIT + MAIL + OTHER_GIT, metadata_only=metadata_only)
    assert "Subject" not in str(first.patch_info)
    assert list(second.patch_info) == OTHER_GIT.splitlines(keepends=True)[:2]
    assert (first.path, second.path) == ("one.txt", "three.txt")


def test_plain_section_after_git_section():
    first, second = PatchSet(GIT + PLAIN)
    assert (first.path, second.path) == ("one.txt", "two.txt")
    assert second.patch_info is None
    assert first.source_timestamp is None
    assert second.source_timestamp == "2024-01-01 10:00:00"
    assert str(first) + str(second) == GIT.replace("-1 +1", "-1,1 +1,1") + PLAIN


def test_info_lines_belong_to_the_section_they_precede():
    info = "Only in old: notes\nIndex: two.txt\n"
    first, second = PatchSet(GIT + info + PLAIN)
    assert str(second) == info + PLAIN
    assert "Index" not in str(first)


def test_git_section_between_plain_sections():
    files = PatchSet(PLAIN + GIT + PLAIN.replace("two", "four"))
    assert [file.path for file in files] == ["two.txt", "one.txt", "four.txt"]
    assert [file.added for file in files] == [1, 1, 1]


def test_several_hunks_stay_with_their_file():
    longer = GIT + "@@ -10,2 +10,2 @@ def f():\n x\n-y\n+z\n"
    first, second = PatchSet(longer + "-- \n2.39.2\n" + PLAIN)
    assert len(first) == 2
    assert len(second) == 1
    assert list(second.patch_info) == ["-- \n", "2.39.2\n"]
