//! Tensors from a safetensors file.
//!
//! `inputs` `[n, d]` or `[n, channels, height, width]` (F32, F64, or U8 for images of 8 bits), and one of `labels` `[n]`
//! (I64, I32, U8) and `targets` `[n]` or `[n, outputs]` (F32, F64). A test split has the same names with `test_` before
//! them. F64 is rounded to f32.

use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    dataset::{Dataset, Storage},
    error::DataError,
    examples::{Examples, Inputs, Labels, Splits},
    files,
};

/// Tensors from a safetensors file.
pub static TENSORS: Dataset = Dataset {
    name: "tensors",
    about: "tensors of your own from a safetensors file",
    example: "path = \"data.safetensors\"",
    targets: None,
    channels: &[],
    own_keys: &["path"],
    storage: Storage::Generated(|config| match &config.path {
        Some(path) => load(path),
        None => {
            let reason = "expected the safetensors file that data.kind = \"tensors\" reads, found none".into();
            Err(DataError::Option { key: "data.path", reason })
        }
    }),
};

/// Reads both splits. The number of classes is the greatest label of both splits plus 1.
fn load(path: &Path) -> Result<Splits, DataError> {
    let file = path.display().to_string();
    let bytes = files::read(path)?;
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| DataError::Safetensors { file: file.clone(), reason: refusal(&bytes, &error.to_string()) })?;
    let reader = Reader { file: &file, tensors };
    let mut train = reader.split("")?;
    let mut test = if reader.has_test() { Some(reader.split("test_")?) } else { None };
    if let Some(test) = &mut test {
        reader.check_alike(&mut train, test)?;
    }
    let source = vec![(file.clone(), saltflat_record::sha256_hex(&bytes))];
    Ok(Splits { train, test, standardise: None, source, notes: Vec::new() })
}

/// Why a file is refused; of a pickle, which may be what torchvision or NumPy left, how it becomes a file that can be read.
fn refusal(bytes: &[u8], reason: &str) -> String {
    match bytes {
        [0x80, 1..=5, ..] => "found a pickle, which can run any code when it is read; in Python saltflat.dataset(dataset, \"data.safetensors\") \
                              writes a torch dataset as such a file"
            .into(),
        _ => reason.into(),
    }
}

struct Reader<'a> {
    file: &'a str,
    tensors: SafeTensors<'a>,
}

impl Reader<'_> {
    fn wrong<T>(&self, tensor: &str, reason: impl Into<String>) -> Result<T, DataError> {
        Err(DataError::Tensor { file: self.file.into(), tensor: tensor.into(), reason: reason.into() })
    }

    fn get(&self, name: &str) -> Option<TensorView<'_>> {
        self.tensors.tensor(name).ok()
    }

    fn has_test(&self) -> bool {
        ["test_inputs", "test_labels", "test_targets"].iter().any(|name| self.get(name).is_some())
    }

    fn split(&self, prefix: &str) -> Result<Examples, DataError> {
        let name = |tensor: &str| format!("{prefix}{tensor}");
        let (n, shape, inputs) = self.inputs(&name("inputs"))?;
        let labels = match (self.get(&name("labels")), self.get(&name("targets"))) {
            (Some(labels), None) => self.labels(&name("labels"), &labels)?,
            (None, Some(targets)) => self.targets(&name("targets"), &targets)?,
            (None, None) => return self.wrong(&name("labels"), format!("missing, and so is \"{prefix}targets\"")),
            (Some(_), Some(_)) => {
                return self.wrong(&name("labels"), format!("expected it or \"{prefix}targets\", found both"));
            }
        };
        if labels.len() != n {
            let tensor = if let Labels::Classes { .. } = labels { name("labels") } else { name("targets") };
            let reason = format!("expected {n} samples like \"{prefix}inputs\", found {}", labels.len());
            return self.wrong(&tensor, reason);
        }
        Examples::new(shape, inputs, labels)
    }

    /// Number of samples, shape of one, entries.
    fn inputs(&self, name: &str) -> Result<(usize, [usize; 3], Inputs), DataError> {
        let Some(view) = self.get(name) else { return self.wrong(name, "missing") };
        let (n, shape) = match *view.shape() {
            [n, d] => (n, [d, 1, 1]),
            [n, channels, height, width] => (n, [channels, height, width]),
            ref shape => {
                return self.wrong(name, format!("expected [n, d] or [n, channels, height, width], found {shape:?}"));
            }
        };
        if view.shape().contains(&0) {
            return self.wrong(name, format!("expected no axis of length 0, found {:?}", view.shape()));
        }
        let inputs = match view.dtype() {
            Dtype::U8 => Inputs::Bytes(view.data().to_vec()),
            _ => Inputs::Floats(self.floats(name, &view, "F32, F64 or U8")?),
        };
        Ok((n, shape, inputs))
    }

    fn labels(&self, name: &str, view: &TensorView) -> Result<Labels, DataError> {
        if view.shape().len() != 1 {
            return self.wrong(name, format!("expected [n], found {:?}", view.shape()));
        }
        let numbers: Vec<i64> = match view.dtype() {
            Dtype::I64 => chunks(view.data()).map(i64::from_le_bytes).collect(),
            Dtype::I32 => chunks(view.data()).map(|bytes| i32::from_le_bytes(bytes).into()).collect(),
            Dtype::U8 => view.data().iter().map(|&byte| byte.into()).collect(),
            found => return self.wrong(name, format!("expected I64, I32 or U8, found {found:?}")),
        };
        // A class is an output of a network: nobody means more than this.
        const MOST: i64 = 1 << 24;
        if let Some(i) = numbers.iter().position(|number| !(0..MOST).contains(number)) {
            return self.wrong(name, format!("expected classes 0, 1, …; found {} at sample {i}", numbers[i]));
        }
        let classes = numbers.iter().max().map_or(0, |&most| most as usize + 1);
        Ok(Labels::Classes { labels: numbers.into_iter().map(|number| number as u32).collect(), classes })
    }

    fn targets(&self, name: &str, view: &TensorView) -> Result<Labels, DataError> {
        let outputs = match *view.shape() {
            [_] => 1,
            [_, outputs] if outputs > 0 => outputs,
            ref shape => return self.wrong(name, format!("expected [n] or [n, outputs], found {shape:?}")),
        };
        Ok(Labels::Real { values: self.floats(name, view, "F32 or F64")?, outputs })
    }

    /// Finite numbers, as f32.
    fn floats(&self, name: &str, view: &TensorView, expected: &str) -> Result<Vec<f32>, DataError> {
        let floats: Vec<f32> = match view.dtype() {
            Dtype::F32 => chunks(view.data()).map(f32::from_le_bytes).collect(),
            Dtype::F64 => chunks(view.data()).map(|bytes| f64::from_le_bytes(bytes) as f32).collect(),
            found => {
                let is_whole = matches!(found, Dtype::I64 | Dtype::I32 | Dtype::U8) && name.ends_with("targets");
                let hint = if is_whole { "; classes are called labels" } else { "" };
                return self.wrong(name, format!("expected {expected}, found {found:?}{hint}"));
            }
        };
        match floats.iter().position(|x| !x.is_finite()) {
            Some(i) => self
                .wrong(name, format!("expected finite numbers in the range of f32, found {} at entry {i}", floats[i])),
            None => Ok(floats),
        }
    }

    /// The splits must be of one form; classes are counted over both.
    fn check_alike(&self, train: &mut Examples, test: &mut Examples) -> Result<(), DataError> {
        if train.shape != test.shape {
            let reason = format!("expected samples of shape {:?} like \"inputs\", found {:?}", train.shape, test.shape);
            return self.wrong("test_inputs", reason);
        }
        if std::mem::discriminant(&train.inputs) != std::mem::discriminant(&test.inputs) {
            return self.wrong("test_inputs", "expected U8 in both \"inputs\" and \"test_inputs\" or in neither");
        }
        match (&mut train.labels, &mut test.labels) {
            (Labels::Classes { classes: a, .. }, Labels::Classes { classes: b, .. }) => {
                *a = (*a).max(*b);
                *b = *a;
            }
            (Labels::Real { outputs: a, .. }, Labels::Real { outputs: b, .. }) if a == b => {}
            (Labels::Real { outputs: a, .. }, Labels::Real { outputs: b, .. }) => {
                return self.wrong("test_targets", format!("expected {a} outputs like \"targets\", found {b}"));
            }
            (Labels::Classes { .. }, _) => return self.wrong("test_labels", "missing; found \"test_targets\""),
            (Labels::Real { .. }, _) => return self.wrong("test_targets", "missing; found \"test_labels\""),
        }
        Ok(())
    }
}

/// Little-endian numbers of `N` bytes; the reader has checked that the data is a whole number of them.
fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tensor of a file: name, type, shape, bytes.
    type Stored = (&'static str, Dtype, Vec<usize>, Vec<u8>);

    fn f32s(name: &'static str, shape: &[usize], values: &[f32]) -> Stored {
        (name, Dtype::F32, shape.to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn f64s(name: &'static str, shape: &[usize], values: &[f64]) -> Stored {
        (name, Dtype::F64, shape.to_vec(), values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn i64s(name: &'static str, values: &[i64]) -> Stored {
        (name, Dtype::I64, vec![values.len()], values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn i32s(name: &'static str, values: &[i32]) -> Stored {
        (name, Dtype::I32, vec![values.len()], values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    fn u8s(name: &'static str, shape: &[usize], values: &[u8]) -> Stored {
        (name, Dtype::U8, shape.to_vec(), values.to_vec())
    }

    fn load_from(stored: &[Stored]) -> Result<Splits, DataError> {
        let views = stored
            .iter()
            .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        load_bytes(&safetensors::serialize(views, None).unwrap())
    }

    fn load_bytes(bytes: &[u8]) -> Result<Splits, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.safetensors");
        std::fs::write(&path, bytes).unwrap();
        load(&path)
    }

    /// The message without the folder.
    fn error(stored: &[Stored]) -> String {
        without_folder(&load_from(stored).unwrap_err())
    }

    fn without_folder(error: &DataError) -> String {
        let message = error.to_string();
        let start = message.find("data.safetensors").unwrap();
        message[start..].to_string()
    }

    #[test]
    fn vectors_and_classes() {
        let splits = load_from(&[
            f64s("inputs", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.5]),
            i64s("labels", &[0, 2, 1]),
            f64s("test_inputs", &[1, 2], &[7.0, 8.0]),
            i32s("test_labels", &[4]),
        ]);
        let splits = splits.unwrap();
        assert_eq!(splits.train.shape(), [2, 1, 1]);
        assert_eq!(splits.train.inputs(), &Inputs::Floats(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5]));
        assert_eq!(splits.train.labels(), &Labels::Classes { labels: vec![0, 2, 1], classes: 5 });
        let test = splits.test.unwrap();
        assert_eq!(test.inputs(), &Inputs::Floats(vec![7.0, 8.0]));
        assert_eq!(test.labels(), &Labels::Classes { labels: vec![4], classes: 5 });
        assert_eq!(splits.standardise, None);
        assert_eq!(splits.source.len(), 1);
    }

    #[test]
    fn images_and_real_targets() {
        let pixels: Vec<u8> = (0..24).collect();
        let targets = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0];
        let splits = load_from(&[u8s("inputs", &[2, 3, 2, 2], &pixels), f32s("targets", &[2, 3], &targets)]).unwrap();
        assert_eq!(splits.train.shape(), [3, 2, 2]);
        assert_eq!(splits.train.inputs(), &Inputs::Bytes(pixels));
        assert_eq!(splits.train.labels(), &Labels::Real { values: targets.to_vec(), outputs: 3 });
        assert_eq!(splits.test, None);
        let one = load_from(&[f32s("inputs", &[2, 1], &[1.0, 2.0]), f64s("targets", &[2], &[3.0, 4.0])]).unwrap();
        assert_eq!(one.train.labels(), &Labels::Real { values: vec![3.0, 4.0], outputs: 1 });
    }

    #[test]
    fn defects_of_one_split() {
        let inputs = || f32s("inputs", &[2, 1], &[1.0, 2.0]);
        let labels = || u8s("labels", &[2], &[0, 1]);
        let file = "data.safetensors: tensor";
        for (stored, expected) in [
            (vec![labels()], "\"inputs\": missing"),
            (vec![inputs()], "\"labels\": missing, and so is \"targets\""),
            (
                vec![inputs(), labels(), f32s("targets", &[2], &[0.0, 1.0])],
                "\"labels\": expected it or \"targets\", found both",
            ),
            (
                vec![inputs(), u8s("labels", &[3], &[0, 1, 2])],
                "\"labels\": expected 2 samples like \"inputs\", found 3",
            ),
            (
                vec![inputs(), f32s("targets", &[1, 2], &[0.0, 1.0])],
                "\"targets\": expected 2 samples like \"inputs\", found 1",
            ),
            (
                vec![f32s("inputs", &[2, 1, 1], &[1.0, 2.0]), labels()],
                "\"inputs\": expected [n, d] or [n, channels, height, width], found [2, 1, 1]",
            ),
            (vec![f32s("inputs", &[0, 3], &[]), labels()], "\"inputs\": expected no axis of length 0, found [0, 3]"),
            (
                vec![i64s("inputs", &[1, 2]), labels()],
                "\"inputs\": expected [n, d] or [n, channels, height, width], found [2]",
            ),
            (
                vec![("inputs", Dtype::I32, vec![2, 1], vec![0; 8]), labels()],
                "\"inputs\": expected F32, F64 or U8, found I32",
            ),
            (vec![inputs(), f32s("labels", &[2], &[0.0, 1.0])], "\"labels\": expected I64, I32 or U8, found F32"),
            (vec![inputs(), u8s("labels", &[2, 1], &[0, 1])], "\"labels\": expected [n], found [2, 1]"),
            (vec![inputs(), i64s("labels", &[0, -3])], "\"labels\": expected classes 0, 1, …; found -3 at sample 1"),
            (
                vec![inputs(), i64s("labels", &[i64::MAX, 0])],
                "\"labels\": expected classes 0, 1, …; found 9223372036854775807 at sample 0",
            ),
            (
                vec![inputs(), i64s("targets", &[0, 1])],
                "\"targets\": expected F32 or F64, found I64; classes are called labels",
            ),
            (
                vec![inputs(), f32s("targets", &[2, 1, 1], &[0.0, 1.0])],
                "\"targets\": expected [n] or [n, outputs], found [2, 1, 1]",
            ),
            (
                vec![f32s("inputs", &[2, 1], &[1.0, f32::NAN]), labels()],
                "\"inputs\": expected finite numbers in the range of f32, found NaN at entry 1",
            ),
            (
                vec![inputs(), f64s("targets", &[2], &[1e300, 0.0])],
                "\"targets\": expected finite numbers in the range of f32, found inf at entry 0",
            ),
        ] {
            assert_eq!(error(&stored), format!("{file} {expected}"));
        }
    }

    #[test]
    fn defects_between_the_splits() {
        let inputs = |name, d: usize| f32s(name, &[2, d], &vec![0.5; 2 * d]);
        let labels = |name| u8s(name, &[2], &[0, 1]);
        let targets = |name, k: usize| f32s(name, &[2, k], &vec![0.5; 2 * k]);
        let classes = [inputs("inputs", 2), labels("labels")];
        let real = [inputs("inputs", 2), targets("targets", 2)];
        let file = "data.safetensors: tensor";
        for (train, test, expected) in [
            (&classes, vec![inputs("test_inputs", 2)], "\"test_labels\": missing, and so is \"test_targets\""),
            (&classes, vec![labels("test_labels")], "\"test_inputs\": missing"),
            (
                &classes,
                vec![inputs("test_inputs", 3), labels("test_labels")],
                "\"test_inputs\": expected samples of shape [2, 1, 1] like \"inputs\", found [3, 1, 1]",
            ),
            (
                &classes,
                vec![u8s("test_inputs", &[2, 2], &[0; 4]), labels("test_labels")],
                "\"test_inputs\": expected U8 in both \"inputs\" and \"test_inputs\" or in neither",
            ),
            (
                &classes,
                vec![inputs("test_inputs", 2), targets("test_targets", 2)],
                "\"test_labels\": missing; found \"test_targets\"",
            ),
            (
                &real,
                vec![inputs("test_inputs", 2), labels("test_labels")],
                "\"test_targets\": missing; found \"test_labels\"",
            ),
            (
                &real,
                vec![inputs("test_inputs", 2), targets("test_targets", 3)],
                "\"test_targets\": expected 2 outputs like \"targets\", found 3",
            ),
        ] {
            assert_eq!(error(&[&train[..], &test].concat()), format!("{file} {expected}"));
        }
    }

    #[test]
    fn a_file_that_is_not_safetensors() {
        for bytes in [&b""[..], b"12345678", b"\x05\0\0\0\0\0\0\0{\"a\":}"] {
            let message = without_folder(&load_bytes(bytes).unwrap_err());
            assert!(message.starts_with("data.safetensors: expected a safetensors file: "), "{message}");
        }
        let error = load(Path::new("no/such/data.safetensors")).unwrap_err().to_string();
        assert!(error.starts_with("no/such/data.safetensors: cannot be read: "), "{error}");
    }
}
