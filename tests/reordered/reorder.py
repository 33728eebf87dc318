#!/usr/bin/env python3
"""Rewrites the sources of canisters: other order of items and of fields, and one method more.

Names of steps must not depend on any of that. In: folders of sources, changed in place.
"""

import pathlib
import re
import sys

EXTRA = '''
#[ic_cdk::query]
fn one_more_method() -> u64 {
    7
}
'''

# These stay where they are: order matters to them, or to what comes after.
FIXED = re.compile(r"^(//!|#!\[|use |pub use |mod |pub mod |macro_rules!|ic_cdk::export_candid|/// The Candid interface)", re.M)


def chunks(text):
    """Top-level pieces, divided by empty lines outside of braces."""
    pieces, current, depth = [], [], 0
    for line in text.split("\n"):
        if not line.strip() and depth == 0 and current:
            pieces.append("\n".join(current))
            current = []
            continue
        code = re.sub(r'"(\\.|[^"\\])*"|//.*', "", line)
        depth += sum(code.count(c) for c in "{([") - sum(code.count(c) for c in "})]")
        if line.strip() or current:
            current.append(line)
    if current:
        pieces.append("\n".join(current))
    return pieces


def reversed_fields(item):
    """A struct with its fields in reverse order, each with its comments and attributes."""
    lines = item.split("\n")
    heads = [at for at, line in enumerate(lines) if re.match(r"^(pub )?struct \w+.*\{$", line)]
    if len(heads) != 1 or lines[-1] != "}":
        return item
    head = heads[0]
    fields, current = [], []
    for line in lines[head + 1 : -1]:
        current.append(line)
        if re.match(r"^    (pub )?\w+: .*,$", line):
            fields.append(current)
            current = []
    if current:
        return item
    return "\n".join(lines[: head + 1] + [line for field in reversed(fields) for line in field] + [lines[-1]])


def reorder(text):
    pieces = chunks(text)
    free = [at for at, piece in enumerate(pieces) if not FIXED.search(piece.split("\n")[0]) and "mod interface" not in piece]
    items = [reversed_fields(pieces[at]) for at in reversed(free)]
    for at, item in zip(free, items):
        pieces[at] = item
    is_canister = "#[update]" in text or "#[query]" in text or "ic_cdk::update" in text
    if is_canister and free:
        pieces.insert(free[0], EXTRA.strip())
    return "\n\n".join(pieces) + "\n"


changed = 0
for folder in sys.argv[1:]:
    for file in sorted(pathlib.Path(folder).rglob("*.rs")):
        text = file.read_text()
        now = reorder(text)
        if now != text:
            file.write_text(now)
            changed += 1
print(f"reordered {changed} files")
