//! The tensors that a run carries from step to step beside its weights.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use burn::tensor::{DType, Device, Element, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use saltflat_models::{Layout, TensorSpec, Vector};
use saltflat_record::FolderError;

use crate::TrainError;

/// Tensors of rank 1 by name; f32 or f64, read back bit for bit, also if they are not finite.
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
    pub fn take_of(&mut self, name: &str, expected: usize) -> Result<Option<Tensor<1>>, String> {
        let tensor = self.take(name);
        match tensor.as_ref().map_or(expected, |tensor| tensor.dims()[0]) {
            found if found == expected => Ok(tensor),
            found => Err(format!("{name} has {found} entries, expected {expected}")),
        }
    }

    /// Refuses tensors of another number type, which cannot be added to those of the run, and empty ones.
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

    /// Takes a vector of the network's parameters; absent if none of its tensors is there.
    pub fn take_vector(&mut self, prefix: &str, layout: &Layout) -> Result<Option<Vector>, String> {
        let name = |spec: &TensorSpec| format!("{prefix}.{}", spec.name);
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
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self, TrainError> {
        let failed = |reason: String| FolderError::new(path, reason);
        let file = SafeTensors::deserialize(bytes).map_err(|e| failed(format!("is not a safetensors file ({e})")))?;
        let mut all = BTreeMap::new();
        for (name, view) in file.iter() {
            let bytes = view.data();
            let (data, dtype) = match view.dtype() {
                Dtype::F32 => (numbers(bytes, f32::from_le_bytes), DType::F32),
                Dtype::F64 => (numbers(bytes, f64::from_le_bytes), DType::F64),
                other => return Err(failed(format!("{name} is {other:?}, expected F32 or F64")).into()),
            };
            all.insert(name.into(), Tensor::from_data(data, (device, dtype)));
        }
        Ok(Self(all))
    }
}

/// Numbers of N bytes each.
fn numbers<const N: usize, E: Element>(bytes: &[u8], from_le_bytes: fn([u8; N]) -> E) -> TensorData {
    let values: Vec<E> = bytes.as_chunks().0.iter().map(|bytes| from_le_bytes(*bytes)).collect();
    let n = values.len();
    TensorData::new(values, [n])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is read: values that a decimal would round, and values that are not finite.
    #[test]
    fn tensors_keep_every_bit() {
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
    }
}
