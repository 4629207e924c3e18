//! What a run carries from step to step beside its weights: named tensors and a few numbers.

use std::{collections::BTreeMap, collections::HashMap, path::Path};

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_models::{Layout, Vector};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The numbers. A number that is not whole stands as text: JSON readers round its last bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps made.
    pub step: u64,
    /// Rows of `metrics.jsonl` that belong to these steps.
    pub rows: u64,
    /// Samples of the epoch so far.
    pub epoch_samples: usize,
    /// Their losses' floors.
    #[serde(with = "as_text")]
    pub epoch_floor: f64,
    /// Steps of the epoch whose noise was measured.
    pub epoch_noise_steps: u64,
    /// Weight of what a noise of a given strength remembers.
    #[serde(with = "as_text")]
    pub strength_weight: f64,
    /// The same of the second and further noises of a list.
    #[serde(with = "all_as_text", default, skip_serializing_if = "Vec::is_empty")]
    pub strength_weights: Vec<f64>,
    /// The first epoch's running loss, once it is known.
    #[serde(with = "as_text_if_any", default)]
    pub first_loss: Option<f64>,
    /// Measurements made.
    pub measurements: u64,
    /// Eigenvectors from which the next search starts.
    pub eigenvectors: usize,
    /// True where a measurement is to be made at this step.
    pub measurement_due: bool,
    /// The goal that was reached, which ends the run.
    pub goal: Option<String>,
    /// The best measurement so far.
    pub best: Option<Best>,
}

/// A measurement by which a checkpoint is the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Where it was made.
    pub step: u64,
    /// Value of the metric.
    #[serde(with = "as_text")]
    pub value: f64,
}

/// [`as_text`], or nothing.
mod as_text_if_any {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|value| value.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// [`as_text`], each of a list.
mod all_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        values.iter().map(f64::to_string).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

/// f64 as the shortest text that reads back as the same bits.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Tensors of rank 1 by name; f32 or f64, read back bit for bit, also where they are not finite.
#[derive(Clone, Debug, Default)]
pub(crate) struct TensorMap(BTreeMap<String, Tensor<1>>);

impl TensorMap {
    /// Adds a tensor, if there is one.
    pub fn put(&mut self, name: &str, tensor: Option<Tensor<1>>) {
        if let Some(tensor) = tensor {
            self.0.insert(name.into(), tensor);
        }
    }

    /// Adds a vector of the network's parameters, if there is one: `PREFIX.NAME` for each of them.
    pub fn put_vector(&mut self, prefix: &str, layout: &Layout, vector: Option<&Vector>) {
        for (spec, part) in layout.parameters.iter().zip(vector.into_iter().flat_map(Vector::parts)) {
            self.0.insert(format!("{prefix}.{}", spec.name), part.clone());
        }
    }

    /// Takes a tensor, if it is there.
    pub fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.0.remove(name)
    }

    /// As [`take`](Self::take), of this many entries.
    ///
    /// # Errors
    /// Says which tensor has another length.
    pub fn take_of(&mut self, name: &str, expected: usize) -> Result<Option<Tensor<1>>, String> {
        let tensor = self.take(name);
        match tensor.as_ref().map_or(expected, |tensor| tensor.dims()[0]) {
            found if found == expected => Ok(tensor),
            found => Err(format!("{name} has {found} entries, expected {expected}")),
        }
    }

    /// Refuses tensors of another number type, which cannot be added to those of the run, and empty ones.
    ///
    /// # Errors
    /// Says which tensor it is.
    pub fn check(&self, expected: DType) -> Result<(), String> {
        for (name, tensor) in &self.0 {
            if tensor.dtype() != expected {
                return Err(format!("{name} is {:?}, expected {expected:?}", tensor.dtype()));
            }
            if tensor.dims()[0] == 0 {
                return Err(format!("{name} is empty"));
            }
        }
        Ok(())
    }

    /// Takes a vector of the network's parameters; absent where none of its tensors is there.
    ///
    /// # Errors
    /// Says which tensor is missing or has another length.
    pub fn take_vector(&mut self, prefix: &str, layout: &Layout) -> Result<Option<Vector>, String> {
        let name = |spec: &saltflat_models::TensorSpec| format!("{prefix}.{}", spec.name);
        if layout.parameters.iter().all(|spec| !self.0.contains_key(&name(spec))) {
            return Ok(None);
        }
        let parts = layout
            .parameters
            .iter()
            .map(|spec| self.take_of(&name(spec), spec.len())?.ok_or_else(|| format!("{} is missing", name(spec))));
        parts.collect::<Result<Vec<_>, String>>().map(|parts| Some(Vector::new(parts)))
    }

    /// As a safetensors file. Equal tensors give equal bytes.
    ///
    /// # Errors
    /// Where the numbers cannot be read from the device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let failed = |name: &str, e: String| TrainError::Training(format!("{name}: {e}"));
        let mut all = Vec::new();
        for (name, tensor) in &self.0 {
            let data = tensor.clone().without_autodiff().try_into_data().map_err(|e| failed(name, e.to_string()))?;
            let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
            all.push((name, dtype, tensor.dims()[0], data));
        }
        let views = all
            .iter()
            .map(|(name, dtype, len, data)| {
                let view = TensorView::new(*dtype, vec![*len], data.as_bytes());
                view.map(|view| (name.as_str(), view)).map_err(|e| failed(name, e.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let metadata = HashMap::from([("format".into(), "pt".into())]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| failed("state", e.to_string()))
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// [`TrainError::File`] where it is none.
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self, TrainError> {
        let failed = |reason: String| TrainError::File { path: path.into(), reason };
        let file = SafeTensors::deserialize(bytes).map_err(|e| failed(format!("is not a safetensors file ({e})")))?;
        let mut all = BTreeMap::new();
        for (name, view) in file.iter() {
            let bytes = view.data();
            let (data, dtype) = match view.dtype() {
                Dtype::F32 => {
                    let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()));
                    let values: Vec<f32> = values.collect();
                    let n = values.len();
                    (TensorData::new(values, [n]), DType::F32)
                }
                Dtype::F64 => {
                    let values = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()));
                    let values: Vec<f64> = values.collect();
                    let n = values.len();
                    (TensorData::new(values, [n]), DType::F64)
                }
                other => return Err(failed(format!("{name} is {other:?}, expected F32 or F64"))),
            };
            all.insert(name.into(), Tensor::from_data(data, (device, dtype)));
        }
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read: values that a decimal would round, and what is not finite.
    #[test]
    fn tensors_and_numbers_keep_every_bit() {
        let device = Device::flex();
        let values = vec![0.1_f32, f32::MIN_POSITIVE / 2.0, -0.0, f32::INFINITY, f32::NAN];
        let mut named = TensorMap::default();
        named.put("a", Some(Tensor::from_data(TensorData::new(values.clone(), [5]), (&device, DType::F32))));
        named.put("none", None);
        let bytes = named.to_bytes().expect("on the CPU");
        let mut again = TensorMap::from_bytes(&bytes, Path::new("a"), &device).expect("it was just written");
        assert_eq!(again.to_bytes().expect("on the CPU"), bytes);
        let found = again.take("a").expect("it was put").try_into_vec_as::<f32>().expect("on the CPU");
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&values));
        assert!(again.take("none").is_none());

        // Tensors of a length or a number type that cannot be added to those of a run panicked in its next step.
        let mut again = TensorMap::from_bytes(&bytes, Path::new("a"), &device).expect("it was just written");
        assert_eq!(again.check(DType::F32), Ok(()));
        assert_eq!(again.check(DType::F64).unwrap_err(), "a is F32, expected F64");
        assert_eq!(again.take_of("a", 1).unwrap_err(), "a has 5 entries, expected 1");
        assert!(matches!(again.take_of("none", 1), Ok(None)));

        // Numbers whose last bit a JSON reader without exact rounding loses.
        for value in [0.1 + 0.2, 1.0 / 3.0, 2.225_073_858_507_201e-308, f64::MAX] {
            let best = Best { step: 1, value };
            let text = serde_json::to_string(&best).expect("it is JSON");
            assert_eq!(serde_json::from_str::<Best>(&text).expect("it was just written"), best, "{text}");
        }
    }
}
