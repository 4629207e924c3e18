#!/usr/bin/env python3
"""Checks and counts of the structure of the workspace. Needs Python 3.9 or newer and, for `features` and `crates`, cargo.

    python3 scripts/structure.py circles [CRATE_DIR ...]   # circles between the source files of a crate; exit code 1 if there are any
    python3 scripts/structure.py features                  # dependencies that `-p CRATE` would compile again; exit code 1 if any
    python3 scripts/structure.py crates [--check FILE]     # the crates and their dependencies as a Mermaid diagram
    python3 scripts/structure.py lines                     # lines of Rust outside tests, by crate
    python3 scripts/structure.py repeats                   # places that share more than 8 lines
    python3 scripts/structure.py places [FAMILY | NAME]    # files and lines that name a kind outside its own file

`circles`, `lines`, `repeats` and `places` take `--rev REVISION`: they read that git revision and not the working tree.
"""

import argparse
import collections
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

# --- Rust source as text -------------------------------------------------------------------------------------------------

COMMENT_OR_STRING = re.compile(
    r'r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|\'(?:\\.|[^\'\\])\'', re.S
)
TEST_ATTRIBUTE = re.compile(r"#\[cfg\((?:all\()?test\b[^\]]*\]")
OTHER_ATTRIBUTES = re.compile(r"(?:\s*#\[[^\]]*\])*\s*")
ITEM = re.compile(
    r"(?:pub(?:\([^)]*\))?\s+)?(?:(?:unsafe|async|extern)\s+)*"
    r"(?P<keyword>mod|fn|const\s+fn|impl|struct|enum|trait|macro_rules!|use|const|static|type|let)(?=\W)"
)
ENDS_WITH_SEMICOLON = {"use", "const", "static", "type", "let"}


def blank(match):
    """The text of a match as white space with the same line breaks."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text, strings=True):
    """The text with comments as white space; without `strings`, string and character literals are emptied, too."""

    def replace(match):
        start = match.group()[:2]
        if start in ("//", "/*"):
            return blank(match)
        if strings:
            return match.group()
        return '""' + blank(match)[2:] if '"' in start else blank(match)

    return COMMENT_OR_STRING.sub(replace, text)


def end_of_item(text, position, keyword):
    """Where the item that begins at a position ends."""
    depth = 0
    while position < len(text):
        c = text[position]
        position += 1
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if c == "}" and depth == 0 and keyword not in ENDS_WITH_SEMICOLON:
                break
        elif c == ";" and depth == 0:
            break
    return position


def test_spans(text):
    """The (start, end) of each item under `#[cfg(test)]`, in text without strings and comments."""
    spans = []
    for match in TEST_ATTRIBUTE.finditer(text):
        if spans and match.start() < spans[-1][1]:
            continue
        start = OTHER_ATTRIBUTES.match(text, match.end()).end()
        item = ITEM.match(text, start)
        if item:
            spans.append((match.start(), end_of_item(text, start, item["keyword"])))
    return spans


def without_tests(text):
    """Text without strings and comments, its test items as white space."""
    for start, end in reversed(test_spans(text)):
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


class Source:
    """A source file: its text, and which of its lines are tests."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        bare = without_comments(self.text, strings=False)
        self.test_lines = set()
        self.test_modules = []
        for start, end in test_spans(bare):
            first = bare.count("\n", 0, start)
            self.test_lines.update(range(first, bare.count("\n", 0, end) + 1))
            self.test_modules += re.findall(r"\bmod\s+(\w+)\s*;", bare[start:end])

    def code(self):
        """The lines outside tests as (number from 1, text without comments)."""
        lines = without_comments(self.text).split("\n")
        if lines[-1] == "":
            lines.pop()
        return [(i + 1, line) for i, line in enumerate(lines) if i not in self.test_lines]


def crates(root):
    """The crates under a root that have sources."""
    return [d for d in sorted((root / "crates").iterdir()) if (d / "src").is_dir()]


def sources(crate):
    """The source files of a crate, without the files of test modules."""
    found = [Source(path) for path in sorted((crate / "src").rglob("*.rs"))]
    tests = set()
    for source in found:
        folder = source.path.parent
        if source.path.stem not in ("lib", "main", "mod"):
            folder = folder / source.path.stem
        for name in source.test_modules:
            tests.update([folder / f"{name}.rs", *(folder / name).rglob("*.rs")])
    return [source for source in found if source.path not in tests]


# --- circles -------------------------------------------------------------------------------------------------------------

DEFINITION = re.compile(
    r"(?:^|[\s;{}])(?:pub(?:\([^)]*\))?\s+)?(?:const\s+fn|async\s+fn|fn|struct|enum|trait|type|const|static|union)\s+(?:mut\s+)?([A-Za-z_]\w*)"
)
MACRO = re.compile(r"macro_rules!\s*(\w+)")
USE = re.compile(r"(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
INLINE = re.compile(r"(?<![\w:])((?:crate|super|self)(?:::\w+)+)")
RELATIVE = re.compile(r"(?<![\w:.])([a-z_]\w*)((?:::\w+)+)")


def expand(tree):
    """The paths of a use tree, each with the name that it gets."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        path, _, alias = tree.partition(" as ")
        path = path.strip()
        return [(path, alias.strip() or path.split("::")[-1])]
    prefix, inner = tree[:brace], tree[brace + 1 : tree.rfind("}")]
    parts, depth, start = [], 0, 0
    for i, c in enumerate(inner):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c == "," and depth == 0:
            parts.append(inner[start:i])
            start = i + 1
    parts.append(inner[start:])
    found = []
    for part in filter(str.strip, parts):
        for path, name in expand(part):
            if path == "self":
                module = prefix.rstrip(":")
                found.append((module, module.split("::")[-1] if name == "self" else name))
            else:
                found.append((prefix + path, name))
    return found


class Crate:
    """The source files of a crate and what they name of each other.

    A file depends on another if it names an item that is defined there, outside tests. Re-exports are followed to the file of
    the definition, so a mod.rs or lib.rs that only declares and re-exports depends on nothing.
    """

    def __init__(self, folder):
        self.root = folder / "src"
        self.files = {}
        for path in sorted(self.root.rglob("*.rs")):
            parts = list(path.relative_to(self.root).with_suffix("").parts)
            if parts[-1] in ("lib", "main", "mod"):
                parts.pop()
            if "bin" in parts[:1]:
                continue
            self.files[tuple(parts)] = path
        self.text = {m: without_tests(without_comments(p.read_text(), strings=False)) for m, p in self.files.items()}
        self.defined = {m: set(DEFINITION.findall(t)) | set(MACRO.findall(t)) for m, t in self.text.items()}
        self.uses = {m: [] for m in self.files}
        for module, text in self.text.items():
            for public, tree in USE.findall(text):
                for path, name in expand(re.sub(r"\s+", " ", tree)):
                    self.uses[module].append((bool(public), path.replace(" ", ""), name))

    def absolute(self, module, path):
        """The parts of a path from the crate's root, or None if it leads out of the crate."""
        parts = [p for p in path.split("::") if p]
        if not parts:
            return None
        here = list(module)
        if parts[0] == "crate":
            return parts[1:]
        if parts[0] == "self":
            return here + parts[1:]
        if parts[0] == "super":
            while parts and parts[0] == "super":
                if here:
                    here.pop()
                parts.pop(0)
            return here + parts
        if tuple(here + [parts[0]]) in self.files:
            return here + parts
        return None

    def resolve(self, parts, seen=frozenset()):
        """The modules that define what a path from the root names."""
        if tuple(parts) in seen:
            return set()
        seen = seen | {tuple(parts)}
        module = ()
        rest = list(parts)
        while rest and module + (rest[0],) in self.files:
            module += (rest.pop(0),)
        if not rest:
            # A module; a function or macro of its name can stand beside it.
            if not module:
                return set()
            rest, module = [module[-1]], module[:-1]
        name = rest[0]
        found = set()
        if name == "*":
            return found
        if name in self.defined[module]:
            return {module}
        for _, path, alias in self.uses[module]:
            target = self.absolute(module, path)
            if target is None:
                continue
            if alias == name:
                is_module = len(rest) > 1 and tuple(target) in self.files
                found |= self.resolve(target + rest[1:] if is_module else target, seen)
            elif alias == "*":
                found |= self.resolve(target[:-1] + rest, seen)
        return found

    def edges(self):
        """For each module, the modules that it depends on, with the names of the items."""
        edges = {}
        for module, text in self.text.items():
            body = USE.sub(" ", text)
            local = {}
            paths = []
            for public, path, name in self.uses[module]:
                target = self.absolute(module, path)
                if target is None:
                    continue
                local[name] = target
                # The name of a module counts only where a function or macro of the same name is called, not at the head of a path.
                end = r"(?=\s*[(!])" if tuple(target) in self.files else r"(?!\w)"
                if name not in ("*", "_") and not re.search(rf"(?<![\w.]){re.escape(name)}{end}", body):
                    continue
                if name == "*":
                    inner = target[:-1]
                    for known in self.defined.get(tuple(inner), ()):
                        if re.search(rf"(?<!\w){known}(?!\w)", body) and not public:
                            paths.append(inner + [known])
                else:
                    paths.append(target)
            for path in INLINE.findall(body):
                target = self.absolute(module, path)
                if target is not None:
                    paths.append(target)
            for first, rest in RELATIVE.findall(body):
                more = [p for p in rest.split("::") if p]
                if first in local and tuple(local[first]) in self.files:
                    paths.append(local[first] + more)
                elif module + (first,) in self.files:
                    paths.append(list(module) + [first] + more)
            for target in paths:
                for other in self.resolve(target):
                    if other != module:
                        edges.setdefault(module, {}).setdefault(other, set()).add(target[-1])
        return edges


def components(edges, nodes):
    """Strongly connected components of two or more nodes (Tarjan's algorithm)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on_stack.add(v)
        for w in edges.get(v, {}):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on_stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            group = []
            while True:
                w = stack.pop()
                on_stack.discard(w)
                group.append(w)
                if w == v:
                    break
            if len(group) > 1:
                found.append(group)

    for v in nodes:
        if v not in index:
            visit(v)
    return found


def circles(folders):
    """Prints each group of files that depend on each other, with the items that tie it together."""
    count = files = 0
    for folder in folders:
        crate = Crate(folder)
        edges = crate.edges()
        for group in sorted(map(sorted, components(edges, crate.files))):
            count += 1
            files += len(group)
            print(f"{folder.name}: a circle of {len(group)} files")
            for module in group:
                for other in sorted(set(edges.get(module, {})) & set(group)):
                    names = ", ".join(sorted(edges[module][other]))
                    print(f"  {crate.files[module].relative_to(crate.root)} -> {crate.files[other].relative_to(crate.root)}: {names}")
    print(f"{count} circles, {files} files in them")
    return 1 if count else 0


# --- lines, repeats ------------------------------------------------------------------------------------------------------


def lines(root):
    """Prints, for each crate, the files of src, their lines outside tests, and those of them that hold code."""
    table = []
    for crate in crates(root):
        files = sources(crate)
        code = [line for source in files for _, line in source.code()]
        table.append((crate.name, len(files), len(code), sum(1 for line in code if line.strip())))
    table.append(("total", *(sum(row[i] for row in table) for i in (1, 2, 3))))
    print(f"{'crate':20} {'files':>6} {'lines':>7} {'code':>7}")
    for name, *numbers in table:
        print(f"{name:20} {numbers[0]:6} {numbers[1]:7} {numbers[2]:7}")
    return 0


SHARED = 8
TRIVIAL = re.compile(r"\W|\b(?:else|Ok|Some|None|return|break|continue)\b")
ATTRIBUTE_OR_USE = re.compile(r"^[ \t]*(?:#!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]|(?:pub(?:\([^)]*\))?\s+)?use\s[^;]*;)", re.M)


def comparable(source):
    """The lines that `repeats` compares, as (number, text with single spaces)."""
    outside = without_comments(source.text)
    kept = ATTRIBUTE_OR_USE.sub(blank, outside).split("\n")
    found = []
    for number, _ in source.code():
        line = " ".join(kept[number - 1].split())
        if TRIVIAL.sub("", line):
            found.append((number, line))
    return found


def repeated(files):
    """Pairs of places with more than `SHARED` equal lines in a row: (lines, (file, first, last), (file, first, last))."""
    texts = [comparable(source) for source in files]
    windows = collections.defaultdict(list)
    for f, text in enumerate(texts):
        for i in range(len(text) - SHARED):
            windows[tuple(line for _, line in text[i : i + SHARED + 1])].append((f, i))
    found = []
    for places in windows.values():
        for a in range(len(places)):
            for b in range(a + 1, len(places)):
                (f, i), (g, j) = places[a], places[b]
                if i and j and texts[f][i - 1][1] == texts[g][j - 1][1]:
                    continue
                limit = min(len(texts[f]) - i, len(texts[g]) - j, j - i if f == g else len(texts[f]))
                n = 0
                while n < limit and texts[f][i + n][1] == texts[g][j + n][1]:
                    n += 1
                if n > SHARED:
                    place = lambda k, at: (files[k].path, texts[k][at][0], texts[k][at + n - 1][0])  # noqa: E731
                    found.append((n, place(f, i), place(g, j)))
    return sorted(found, key=lambda pair: -pair[0])


def repeats(root):
    """Prints the pairs of places outside tests that share more than 8 lines, the longest first."""
    pairs = repeated([source for crate in crates(root) for source in sources(crate)])
    for n, *places in pairs:
        one, other = (f"{path.relative_to(root)}:{first}-{last}" for path, first, last in places)
        print(f"{n:4} lines: {one}  {other}")
    print(f"{len(pairs)} pairs, {sum(pair[0] for pair in pairs)} lines")
    return 0


# --- places --------------------------------------------------------------------------------------------------------------

# Of each family one kind (of metrics three): the words that name it, its own file, and the crates where the words mean it.
KINDS = {
    "noise": [("geometry-aware", r"geometry[-_]aware|GeometryAware", r"/geometry_aware\.rs", "")],
    "layer": [("fixup-shortcut", r"fixup[-_]shortcut|FixupShortcut", r"/fixup_shortcut\.rs", "")],
    "architecture": [("random-features", r"random[-_]features|RandomFeatures", r"/random_features\.rs", "")],
    "metric": [
        ("chi_min_over_mean", r"(?i:chi_min_over_mean)|ChiMinOverMean", r"saltflat-metrics/", ""),
        ("trace_ggn", r"(?i:trace_ggn)|TraceGgn", r"saltflat-metrics/", ""),
        ("trace_hessian", r"(?i:trace_hessian)|TraceHessian", r"saltflat-metrics/", ""),
    ],
    "dataset": [("linear-teacher", r"linear[-_]teacher|LinearTeacher|teachers::LINEAR\w*", r"/(?:linear_)?teachers?\.rs", "")],
    "figure": [("samples", r"Samples", r"/figures/samples\.rs", "saltflat-report")],
    "lab": [("random-walk", r"random[-_]walk|RandomWalk", r"/random_walk(?:/|\.rs)", "saltflat-lab")],
    "kernel operation": [
        ("max_pool_select", r"(?:at_largest|AtLargest|max_pool_select|MaxPoolSelect)\w*", r"/(?:pool|max_pool\w*)\.rs", "saltflat-kernels")
    ],
}
DECLARATION = re.compile(r"(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*;")
REEXPORT = re.compile(r"pub(?:\([^)]*\))?\s+use\s[^;]*;")


def variants(name):
    """A pattern for a name in kebab, snake and camel case."""
    words = re.split(r"[-_]", name)
    return "|".join(["[-_]".join(words), "_".join(words).upper(), "".join(word.capitalize() for word in words)])


def count_places(root, pattern, own, crate):
    """The lines that name a kind: outside its own file, outside tests, in `mod` and `pub use`, and a list of the first."""
    named = re.compile(rf"\b(?:{pattern})\b")
    rust = 0
    found = []
    for folder in crates(root):
        if crate and folder.name != crate:
            continue
        for source in sources(folder):
            if re.search(own, source.path.as_posix()):
                continue
            text = without_comments(source.text)
            declarations = set()
            for match in [*DECLARATION.finditer(text), *REEXPORT.finditer(text)]:
                first = text.count("\n", 0, match.start())
                declarations.update(range(first + 1, first + match.group().count("\n") + 2))
            for number, line in source.code():
                if named.search(line):
                    if number in declarations:
                        rust += 1
                    else:
                        found.append((source.path.relative_to(root), number, line.strip()))
    return rust, found


def places(root, kind, verbose):
    """Prints in how many files and lines each kind is named; `kind` is a family, the name of a kind, or None for all families."""
    rows = []
    for family, examples in KINDS.items():
        for name, *search in examples:
            if kind in (None, family, name):
                rows.append((family, name, *search))
    if not rows:
        rows.append(("", kind, variants(kind), rf"/{kind.replace('-', '_')}(?:/|\.rs)", ""))
    print(f"{'family':17} {'kind':20} {'files':>5} {'lines':>5} {'mod, pub use':>12}")
    for family, name, *search in rows:
        rust, found = count_places(root, *search)
        print(f"{family:17} {name:20} {len({path for path, _, _ in found}):5} {len(found):5} {rust:12}")
        for path, number, line in found if verbose else ():
            print(f"    {path}:{number}: {line}")
    return 0


# --- crates, features ----------------------------------------------------------------------------------------------------


def metadata():
    """The packages of the workspace."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["packages"]


def diagram(packages):
    """A Mermaid diagram of the crates, without the arrows that follow from others; `saltflat-features` holds no code and is left out."""
    names = {package["name"] for package in packages} - {"saltflat-features"}
    direct = {
        package["name"]: {d["name"] for d in package["dependencies"] if d["kind"] is None} & names
        for package in packages
        if package["name"] in names
    }

    def below(name):
        return direct[name].union(*map(below, direct[name])) if direct[name] else set()

    arrows = []
    for name in sorted(direct):
        implied = set().union(*map(below, direct[name])) if direct[name] else set()
        arrows += [f"    {name} --> {other}" for other in sorted(direct[name] - implied)]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, "```"])


def show_crates(check):
    """Prints the diagram, or says whether a file holds it."""
    drawn = diagram(metadata())
    if check is None:
        print(drawn)
    elif drawn not in pathlib.Path(check).read_text():
        print(f"{check}: the diagram of the crates is not that of `scripts/structure.py crates`")
        return 1
    return 0


class Units(dict):
    """The units that a cargo command compiles of registries' crates, by a hash of all that decides whether a unit is compiled again."""

    def __init__(self, command):
        super().__init__()
        command = ["cargo", *command, "--release", "-Z", "unstable-options", "--unit-graph"]
        # The unit graph is an unstable option. It is only printed; nothing is compiled with this setting.
        environment = {**os.environ, "RUSTC_BOOTSTRAP": "1"}
        printed = subprocess.run(command, capture_output=True, text=True, env=environment)
        if printed.returncode:
            sys.exit(f"{' '.join(command)}:\n{printed.stderr}")
        self.units = json.loads(printed.stdout)["units"]
        self.hashes = {}
        for i, unit in enumerate(self.units):
            if not unit["pkg_id"].startswith("path+"):
                self[self.hash(i)] = {**unit, "dependencies": [self.hash(d["index"]) for d in unit["dependencies"]]}

    def hash(self, i):
        if i not in self.hashes:
            unit = self.units[i]
            below = sorted((self.hash(d["index"]), d["extern_crate_name"]) for d in unit["dependencies"])
            own = [unit[key] for key in ("pkg_id", "target", "mode", "platform", "profile", "features")]
            self.hashes[i] = hashlib.sha256(json.dumps([own, below], sort_keys=True).encode()).hexdigest()
        return self.hashes[i]


def compiled_again(known, units):
    """The number of units that are not among the known ones, and how the lowest of them differ, as lines of text."""
    new = units.keys() - known.keys()
    causes = set()
    for key in new:
        unit = units[key]
        if new.intersection(unit["dependencies"]):
            continue
        name = unit["pkg_id"].split("#")[-1]
        features = set(unit["features"])
        same = [other for other in known.values() if (other["pkg_id"], other["mode"]) == (unit["pkg_id"], unit["mode"])]
        for other in [o for o in same if o["target"] == unit["target"]][:1]:
            lacks, has = sorted(set(other["features"]) - features), sorted(features - set(other["features"]))
            causes.add(f"{name}: without {lacks}" * bool(lacks) + f"{name}: with {has}" * bool(has) or f"{name}: other dependencies")
        if not same:
            causes.add(f"{name}: not in the default build")
    return len(new), sorted(causes)


def features():
    """Says which selections of crates would compile dependencies again after `cargo build --release`."""
    known = Units(["build"])
    selections = [["test"], ["test", "--lib"], ["test", "--doc"], ["build", "--bins"], ["build", "--examples"], ["build", "--all-targets"]]
    for package in metadata():
        selections += [["build", "-p", package["name"]], ["test", "-p", package["name"]]]
    count = 0
    for selection in selections:
        n, causes = compiled_again(known, Units(selection))
        if n:
            count += 1
            print(f"cargo {' '.join(selection)}: {n} units again")
            for cause in causes:
                print(f"    {cause}")
    print(f"{count} of {len(selections)} selections compile dependencies again; the default build has {len(known)} units of dependencies")
    return 1 if count else 0


# --- command line --------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("circles", "lines", "repeats", "places"):
        command = commands.add_parser(name)
        command.add_argument("--rev", help="a git revision; the default is the working tree")
        if name == "circles":
            command.add_argument("folders", nargs="*", type=pathlib.Path, help="crates; the default is every crate")
        if name == "places":
            command.add_argument("kind", nargs="?", help="a family of kinds or the name of a kind; the default is every family")
            command.add_argument("-v", "--verbose", action="store_true", help="show the lines")
    commands.add_parser("features")
    commands.add_parser("crates").add_argument("--check", help="say whether this file holds the diagram")
    args = parser.parse_args()

    repository = pathlib.Path(__file__).resolve().parent.parent
    if args.command in ("features", "crates"):
        os.chdir(repository)
        return features() if args.command == "features" else show_crates(args.check)
    with tempfile.TemporaryDirectory() as folder:
        root = repository
        if args.rev:
            root = pathlib.Path(folder)
            archive = subprocess.run(["git", "-C", repository, "archive", args.rev, "crates"], capture_output=True, check=True)
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
                tar.extractall(root)
        if args.command == "circles":
            return circles([root / f if args.rev else f for f in args.folders] or crates(root))
        if args.command == "places":
            return places(root, args.kind, args.verbose)
        return {"lines": lines, "repeats": repeats}[args.command](root)


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    sys.exit(main())
