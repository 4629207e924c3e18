//! What to say of a weights file that is not safetensors.

use std::path::Path;

/// Endings of PyTorch's own files.
const OF_TORCH: [&str; 6] = ["pt", "pth", "ckpt", "pkl", "pickle", "bin"];
/// How far a name in a zip file is looked for: its first entry.
const HEAD: usize = 512;

/// Why such a file is refused. Of PyTorch's pickles, which run any code that stands in them when they are read, with the
/// line of Python that converts them.
pub(crate) fn refusal(path: &Path, bytes: &[u8], reason: &str) -> String {
    if is_pickle(path, bytes) {
        let to = path.with_extension("safetensors");
        let (from, to) = (literal(&path.to_string_lossy()), literal(&to.to_string_lossy()));
        return format!(
            "is a pickle, which can run any code when it is read; convert it with\n  python -c \"import torch, \
             safetensors.torch as s; s.save_file(torch.load({from}, weights_only=True), {to})\"\nand where the file holds more \
             than the weights take them out of it, as torch.load(…)['state_dict']"
        );
    }
    format!("is not a safetensors file ({reason}); weights are read from no other format")
}

/// A bare pickle begins with its protocol, one of PyTorch's zip files with an entry `NAME/data.pkl`.
fn is_pickle(path: &Path, bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD)];
    let names = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    let ending = path.extension().is_some_and(|found| OF_TORCH.iter().any(|known| found.eq_ignore_ascii_case(known)));
    match head {
        [0x80, 1..=5, ..] => true,
        [b'P', b'K', 3, 4, ..] => ending || names(b"data.pkl"),
        _ => ending,
    }
}

/// A text as one of Python's between double quotes of a shell: what either could take for more than a letter is escaped.
pub(crate) fn literal(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-/+=,@: ".contains(c);
    let escaped = |c: char| match c as u32 {
        _ if plain(c) => c.to_string(),
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code => format!("\\U{code:08x}"),
    };
    format!("'{}'", text.chars().map(escaped).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, bytes: &[u8]) -> String {
        refusal(Path::new(path), bytes, "reason")
    }

    #[test]
    fn pickles_are_known_by_their_bytes_and_names() {
        let zip = b"PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\x12\0archive/data.pklFB";
        for (path, bytes) in
            [("a.pt", &zip[..]), ("a", zip), ("b.weights", b"\x80\x02}q\0."), ("c.PTH", b""), ("d.bin", b"\0")]
        {
            assert!(said(path, bytes).starts_with("is a pickle, which can run any code"), "{path}");
        }
        for (path, bytes) in
            [("a.npz", &b"PK\x03\x04 w.npy"[..]), ("b.onnx", b"\x08\x07"), ("c.h5", b"\x89HDF"), ("d", b"")]
        {
            let expected = "is not a safetensors file (reason); weights are read from no other format";
            assert_eq!(said(path, bytes), expected, "{path}");
        }
    }

    #[test]
    fn the_line_of_python_names_the_file() {
        let line = "python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('nets/my model.pt', \
                    weights_only=True), 'nets/my model.safetensors')\"";
        assert!(said("nets/my model.pt", b"").contains(line));
    }

    /// Neither a shell nor Python sees more than a file's name: one that would end the text, run a command, or colour the terminal.
    #[test]
    fn hostile_names_are_escaped() {
        let name = "'\"$(rm)`rm`\\\n\u{1b}[31m!%\u{202e}.pt";
        let said = said(name, b"");
        let inside = "\\x27\\x22\\x24\\x28rm\\x29\\x60rm\\x60\\x5c\\x0a\\x1b\\x5b31m\\x21\\x25\\U0000202e";
        assert!(
            said.contains(&format!("torch.load('{inside}.pt', weights_only=True), '{inside}.safetensors')\"")),
            "{said}"
        );
    }
}
