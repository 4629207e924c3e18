#!/usr/bin/env python3
"""The checks of `structure.py` find what they are for, in small crates. Needs nothing but Python.

    python3 scripts/test_structure.py
"""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import structure  # noqa: E402

NINE = "".join(f"    let x{i} = {i} + y;\n" for i in range(9))


class Crates(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, files, crate="one"):
        """A crate of these files; its folder."""
        folder = self.root / "crates" / crate
        for name, text in files.items():
            path = folder / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    def printed(self, function, *arguments):
        """The exit code and the lines that a check prints."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = function(*arguments)
        return code, out.getvalue().splitlines()

    def test_a_circle_through_a_reexport_is_found(self):
        crate = self.write(
            {
                "lib.rs": "mod shape;\nmod area;\npub use shape::Shape;\npub use area::area;\n",
                "shape.rs": "use crate::area;\npub struct Shape(pub f64);\nimpl Shape { fn area(&self) -> f64 { area(self) } }\n",
                "area.rs": "use crate::Shape;\npub fn area(shape: &Shape) -> f64 { shape.0 }\n",
            }
        )
        code, lines = self.printed(structure.circles, [crate])
        self.assertEqual(code, 1)
        self.assertEqual(
            lines,
            ["one: a circle of 2 files", "  area.rs -> shape.rs: Shape", "  shape.rs -> area.rs: area", "1 circles, 2 files in them"],
        )

    def test_a_circle_of_three_through_modules_and_paths_is_found(self):
        crate = self.write(
            {
                "lib.rs": "mod a;\nmod b;\n",
                "a.rs": "pub struct A;\nfn f() { crate::b::inner::g(); }\n",
                "b/mod.rs": "pub mod inner;\npub struct B(super::a::A);\n",
                "b/inner.rs": "use super::B;\npub fn g() -> Option<B> { None }\n",
            }
        )
        code, lines = self.printed(structure.circles, [crate])
        self.assertEqual((code, lines[0]), (1, "one: a circle of 3 files"))

    def test_declarations_tests_comments_and_strings_make_no_circle(self):
        crate = self.write(
            {
                "lib.rs": "mod shape;\nmod area;\npub use shape::Shape;\npub use area::area;\n",
                "shape.rs": "/// See [`crate::area::area`].\npub struct Shape(pub f64); // crate::area::area\n"
                'const S: &str = "crate::area::area";\n'
                "#[cfg(test)]\nmod tests {\n    use crate::area::area;\n    #[test]\n    fn t() { area(&super::Shape(1.0)); }\n}\n",
                "area.rs": "use crate::Shape;\npub fn area(shape: &Shape) -> f64 { shape.0 }\n",
            }
        )
        self.assertEqual(self.printed(structure.circles, [crate]), (0, ["0 circles, 0 files in them"]))

    def test_lines_leave_tests_out(self):
        self.write(
            {
                "lib.rs": "//! Doc.\n\nmod a;\n#[cfg(test)]\nmod helper;\npub fn f() {}\n",
                "a.rs": "pub fn g() {\n    // }\n    let s = \"}\";\n}\n#[cfg(test)]\n#[allow(unused)]\nmod tests {\n    fn t() {}\n}\n",
                "helper.rs": "pub fn h() {}\n",
            }
        )
        _, lines = self.printed(structure.lines, self.root)
        self.assertEqual(lines[1].split(), ["one", "2", "8", "5"])
        self.assertEqual(lines[2].split(), ["total", "2", "8", "5"])

    def test_a_repeat_has_more_than_eight_lines_whatever_lies_between(self):
        self.write({"lib.rs": f"fn f(y: f64) {{\n{NINE}}}\n", "a.rs": "fn g(y: f64) {\n" + NINE.replace("\n", "\n\n    // word\n") + "}\n"})
        _, lines = self.printed(structure.repeats, self.root)
        self.assertEqual(lines, ["   9 lines: crates/one/src/a.rs:2-26  crates/one/src/lib.rs:2-10", "1 pairs, 9 lines"])

    def test_eight_lines_uses_and_tests_are_no_repeat(self):
        eight = NINE[: NINE.rindex("    let")]
        uses = "use std::{\n" + "".join(f"    part{i},\n" for i in range(12)) + "};\n"
        for name in ("lib.rs", "a.rs"):
            self.write({name: f"{uses}fn of_{name[0]}(y: f64) {{\n{eight}}}\n#[cfg(test)]\nmod tests {{\nfn f(y: f64) {{\n{NINE}}}\n}}\n"})
        _, lines = self.printed(structure.repeats, self.root)
        self.assertEqual(lines, ["0 pairs, 0 lines"])

    def test_places_are_lines_outside_the_kinds_own_file(self):
        self.write(
            {
                "lib.rs": "mod label_flip;\npub use label_flip::LabelFlip;\nenum Noise {\n    LabelFlip(LabelFlip), // label-flip\n}\n",
                "label_flip.rs": "pub struct LabelFlip;\n",
                "names.rs": 'const NAMES: [&str; 1] = ["label-flip"];\n#[cfg(test)]\nuse crate::LabelFlip;\n',
            }
        )
        _, lines = self.printed(structure.places, self.root, "label-flip", False)
        self.assertEqual(lines[1].split(), ["label-flip", "2", "2", "2"])


class Units(unittest.TestCase):
    def unit(self, features, dependencies=()):
        return {"pkg_id": "registry#a@1.0.0", "mode": "build", "target": {}, "features": features, "dependencies": list(dependencies)}

    def test_a_unit_with_fewer_features_is_compiled_again(self):
        known = {1: self.unit(["std", "serde"]), 2: self.unit([], [1])}
        self.assertEqual(structure.compiled_again(known, known), (0, []))
        other = {3: self.unit(["std"]), 4: self.unit([], [3])}
        self.assertEqual(structure.compiled_again(known, other), (2, ["a@1.0.0: without ['serde']"]))


class Diagram(unittest.TestCase):
    def test_an_arrow_that_follows_from_others_is_left_out(self):
        depends = lambda *names: [{"name": name, "kind": None} for name in names]  # noqa: E731
        packages = [
            {"name": "top", "dependencies": depends("middle", "low", "serde")},
            {"name": "middle", "dependencies": depends("low")},
            {"name": "low", "dependencies": [{"name": "top", "kind": "dev"}]},
        ]
        self.assertEqual(
            structure.diagram(packages), "```mermaid\nflowchart TD\n    middle --> low\n    top --> middle\n```"
        )


if __name__ == "__main__":
    unittest.main()
