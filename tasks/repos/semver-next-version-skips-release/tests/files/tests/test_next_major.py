import pytest

from semver import Version


@pytest.mark.parametrize(
    "version, expected",
    [
        ("1.1.0-rc.1", "2.0.0"),
        ("0.9.0-alpha.2+build.7", "1.0.0"),
        ("0.1.0-0", "1.0.0"),
        ("3.20.0-dev", "4.0.0"),
    ],
)
def test_prerelease_of_a_minor_version(version, expected):
    assert str(Version.parse(version).next_version("major")) == expected


def test_next_major_is_always_a_major_version():
    for minor in range(3):
        for patch in range(3):
            for prerelease in (None, "rc.1", "alpha"):
                current = Version(4, minor, patch, prerelease)
                following = current.next_version("major")
                assert following > current
                assert following.to_tuple()[1:] == (0, 0, None, None)


@pytest.mark.parametrize(
    "version, part, expected",
    [
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("1.1.1-rc.1", "major", "2.0.0"),
        ("1.1.0-rc.1", "minor", "1.1.0"),
        ("1.1.1-rc.1", "minor", "1.2.0"),
        ("1.1.1-rc.1", "patch", "1.1.1"),
        ("1.1.0", "major", "2.0.0"),
    ],
)
def test_other_parts(version, part, expected):
    assert str(Version.parse(version).next_version(part)) == expected
