"""mdBook preprocessor: takes what lies outside of docs/ into the book, so that every link of a page leads somewhere.

A chapter such as ../ARCHITECTURE.md becomes architecture.md. A linked file such as ../deploy/gateways/nginx/northgate.conf
becomes a page that shows it, below the last chapter. Without this, mdBook would write outside of its folder, and links
to files would break. Python's standard library is all it needs.
"""

import json
import os
import re
import sys

LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")


def chapters(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def place(path):
    """The page in the book for a path relative to docs/."""
    if not path.startswith("../"):
        return re.sub(r"(^|/)README\.md$", r"\1index.md", path)
    name = path.removeprefix("../")
    if name.endswith(".md"):
        return name.lower().replace("/", "-")
    return "files/" + name.replace("/", "-").lstrip(".") + ".md"


def listing(path):
    """A file in a fence, or the names in a folder."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        return "\n".join(f"- [{name}]({os.path.basename(path)}/{name})" for name in names)
    with open(path, encoding="utf-8") as file:
        return "````text\n" + file.read().rstrip("\n") + "\n````"


def main():
    context, book = json.load(sys.stdin)
    os.chdir(os.path.join(context["root"], context["config"]["book"]["src"]))
    items = book["items"]
    pending = list(chapters(items))
    known = {chapter["path"] for chapter in pending}
    files = []

    def follow(chapter, match):
        target, anchor = match.group(1), match.group(2) or ""
        if "://" in target or target.startswith("mailto:"):
            return match.group(0)
        path = os.path.normpath(os.path.join(os.path.dirname(chapter["source_path"]), target))
        path = path.removeprefix("../docs/")
        if os.path.exists(f"{path}/README.md"):
            path += "/README.md"
        if path not in known and not os.path.exists(path):
            return match.group(0)  # code that looks like a link; a test finds links that are broken
        if path.startswith("../") and path not in known:
            known.add(path)
            page = new_page(path)
            files.append(page)
            pending.append(page)
        start = os.path.dirname(place(chapter["source_path"])) or "."
        return f"]({os.path.relpath(place(path), start)}{anchor})"

    def new_page(path):
        name = path.removeprefix("../")
        if name.endswith(".md"):
            with open(path, encoding="utf-8") as file:
                content = file.read()
        else:
            content = f"# {name}\n\n{listing(path)}\n"
        return {
            "name": name,
            "content": content,
            "number": None,
            "sub_items": [],
            "path": path,
            "source_path": path,
            "parent_names": ["Files"],
        }

    while pending:
        chapter = pending.pop(0)
        if chapter["source_path"].endswith(".md") or os.path.isdir(chapter["source_path"]):
            chapter["content"] = LINK.sub(lambda match: follow(chapter, match), chapter["content"])
        chapter["path"] = place(chapter["source_path"])
    files.sort(key=lambda page: page["name"])
    items.append({"PartTitle": "Files"})
    items.extend({"Chapter": page} for page in files)
    json.dump(book, sys.stdout)


if len(sys.argv) > 2 and sys.argv[1] == "supports":
    sys.exit(0)
main()
