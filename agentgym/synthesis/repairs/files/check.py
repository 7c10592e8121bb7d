"""Makes one call of the function that is to be repaired, and says what it gives."""

try:
    import repair

    said = repr(repair.CALL)
except Exception as error:
    said = f"raises {type(error).__name__}"
print("right" if said == repr(WANTED) else f"{'CALL'} gives {said}, not {WANTED!r}")
