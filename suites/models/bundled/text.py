#!/usr/bin/env python3
"""Writes the text of the Rust documentation that is installed with the toolchain, for training and held out apart.

usage: text.py OUT [DOC]    OUT/train.txt, OUT/heldout.txt and OUT/provenance.json, from DOC (default: the active toolchain's)

Pages are split whole: a page whose path hashes below HELD_OUT is never trained on, and a paragraph that stands on a held-out
page is dropped from every other (std, core and alloc repeat each other). Needs the component rust-docs, nothing else.
"""
import hashlib
import html.parser
import json
import pathlib
import re
import subprocess
import sys

# Books whose sources are licensed MIT or Apache-2.0. The embedded book is partly CC-BY-SA and is left out.
BOOKS = ["book", "reference", "nomicon", "cargo", "rustc", "rust-by-example", "edition-guide", "rustdoc", "style-guide",
         "error_codes", "clippy", "unstable-book"]
LIBRARIES = ["std", "alloc", "core", "proc_macro", "test"]
HELD_OUT = 0.04
# Pages that are another page again, or lists.
SKIPPED = {"print.html", "toc.html", "all.html", "404.html", "searchindex.html"}
BLOCKS = {"p", "li", "pre", "h1", "h2", "h3", "h4", "h5", "dt", "dd", "tr", "blockquote"}


class Page(html.parser.HTMLParser):
    """Collects paragraphs: of a book everything in <main>, of a library only its docblocks."""

    def __init__(self, library):
        super().__init__(convert_charrefs=True)
        self.library, self.inside, self.skip = library, 0, 0
        self.paragraphs, self.line, self.pre = [], [], False
        self.stack = []

    def handle_starttag(self, tag, attributes):
        classes = (dict(attributes).get("class") or "").split()
        if tag in ("br",):
            self.line.append("\n")
        if tag in ("img", "br", "hr", "input", "meta", "link", "wbr", "path", "source"):
            return
        enters = tag == "main" if not self.library else "docblock" in classes
        hides = tag in ("script", "style", "button", "nav", "svg", "select") or "tooltip" in classes or "boring" in classes
        self.stack.append((tag, enters, hides))
        self.inside += enters
        self.skip += hides
        if tag in BLOCKS:
            self.flush()
        if tag == "pre":
            self.pre = True

    def handle_endtag(self, tag):
        while self.stack:
            name, entered, hid = self.stack.pop()
            if name in BLOCKS or entered:
                self.flush()
            if name == "pre":
                self.pre = False
            self.inside -= entered
            self.skip -= hid
            if name == tag:
                break

    def handle_data(self, data):
        if self.inside and not self.skip:
            self.line.append(data if self.pre else re.sub(r"\s+", " ", data))

    def flush(self):
        text = "".join(self.line)
        text = text.strip("\n").rstrip() if self.pre else text.strip().strip("§").strip()
        self.line = []
        if text:
            self.paragraphs.append(text)


def pages(doc):
    """(path, paragraphs) of every page, in the order of the paths."""
    for part in BOOKS + LIBRARIES:
        for path in sorted((doc / part).rglob("*.html")):
            if path.name in SKIPPED:
                continue
            page = Page(part in LIBRARIES)
            page.feed(path.read_text(encoding="utf-8"))
            page.close()
            page.flush()
            if page.paragraphs:
                yield path.relative_to(doc).as_posix(), page.paragraphs


def held_out(path):
    digest = hashlib.sha256(path.encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT * 2**32


def digest(paragraph):
    return hashlib.sha256(paragraph.encode()).digest()[:12]


def write(path, chosen, seen):
    """Pages without the paragraphs that were written before; short ones may come again."""
    with open(path, "w", encoding="utf-8") as out:
        for _, paragraphs in chosen:
            kept = []
            for paragraph in paragraphs:
                key = digest(paragraph)
                if key not in seen or len(paragraph) < 24:
                    seen.add(key)
                    kept.append(paragraph)
            text = "\n\n".join(kept)
            if len(text) > 80:
                out.write(text + "\n\n\n")


def main():
    out = pathlib.Path(sys.argv[1])
    root = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    doc = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(root) / "share/doc/rust/html"
    out.mkdir(parents=True, exist_ok=True)
    everything = list(pages(doc))
    seen = set()
    write(out / "heldout.txt", [page for page in everything if held_out(page[0])], seen)
    write(out / "train.txt", [page for page in everything if not held_out(page[0])], seen)
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    files = {name: (out / name).read_bytes() for name in ("train.txt", "heldout.txt")}
    provenance = {
        "source": "documentation installed with the toolchain (rustup component rust-docs)",
        "toolchain": version,
        "licence": "MIT OR Apache-2.0",
        "parts": BOOKS + LIBRARIES,
        "held_out_pages": [path for path, _ in everything if held_out(path)],
        "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
    }
    (out / "provenance.json").write_text(json.dumps(provenance, indent=1) + "\n")
    for name, data in files.items():
        print(f"{name}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
