//! The files of weights: one safetensors file, or several that an index names.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use safetensors::{SafeTensors, tensor::TensorView};
use saltflat_record::read_regular;
use serde::Deserialize;

use crate::{error::ModelError, foreign::refusal};

/// The index of weights in several files, as Hugging Face's libraries name it.
pub const INDEX: &str = "model.safetensors.index.json";

/// `weight_map` of an index: the file of each tensor.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The safetensors files of weights, and which tensors they are to hold.
pub(crate) struct Files {
    /// Path and content of each.
    files: Vec<(PathBuf, Vec<u8>)>,
    /// The index and the tensors that it places in each of the files; absent for a file without an index.
    index: Option<(PathBuf, Vec<Vec<String>>)>,
}

/// The tensors of weights under the names that they have in their files.
pub(crate) type Stored<'a> = BTreeMap<String, TensorView<'a>>;

impl Files {
    /// Reads a safetensors file, or an index (its name ends in `.json`) and all the files that it names.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let bytes = read(path)?;
        if !is_index(path) {
            return Ok(Self { files: vec![(path.into(), bytes)], index: None });
        }
        let shards = shards(path, &bytes)?;
        let content = |(shard, tensors): &(PathBuf, Vec<String>)| {
            let found = read_regular(shard).map_err(|e| {
                let named = format!("the index {} places {} in it", path.display(), some(tensors));
                ModelError::File { path: shard.clone(), reason: format!("{e}; {named}") }
            });
            Ok((shard.clone(), found?))
        };
        let files = shards.iter().map(content).collect::<Result<_, ModelError>>()?;
        let tensors = shards.into_iter().map(|(_, tensors)| tensors).collect();
        Ok(Self { files, index: Some((path.into(), tensors)) })
    }

    /// The tensors of all files.
    pub fn tensors(&self) -> Result<Stored<'_>, ModelError> {
        let mut all = Stored::new();
        for (i, (path, bytes)) in self.files.iter().enumerate() {
            let failed = |reason: String| ModelError::File { path: path.clone(), reason };
            let file = SafeTensors::deserialize(bytes).map_err(|e| failed(refusal(path, bytes, &e.to_string())))?;
            let mut found: Stored<'_> = file.tensors().into_iter().collect();
            if let Some((index, tensors)) = &self.index {
                let expected = tensors.get(i).map_or(&[][..], Vec::as_slice);
                if let Some(name) = expected.iter().find(|name| !found.contains_key(*name)) {
                    return Err(failed(format!(
                        "has no tensor {name}, which the index {} places in it",
                        index.display()
                    )));
                }
                if let Some(name) = found.keys().find(|name| expected.binary_search(name).is_err()) {
                    let text =
                        format!("holds the tensor {name}, which the index {} does not place in it", index.display());
                    return Err(failed(text));
                }
            }
            all.append(&mut found);
        }
        Ok(all)
    }
}

/// The files that hold the weights at a path: the safetensors file itself, or an index and the files that it names.
///
/// # Errors
/// [`ModelError::File`] if an index cannot be read.
pub fn weight_files(path: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let mut files = vec![path.to_path_buf()];
    if is_index(path) {
        files.extend(shards(path, &read(path)?)?.into_iter().map(|(shard, _)| shard));
    }
    Ok(files)
}

fn is_index(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_regular(path).map_err(|e| ModelError::File { path: path.into(), reason: e.to_string() })
}

/// The files that an index names, each with its tensors, in the order of their names.
fn shards(path: &Path, bytes: &[u8]) -> Result<Vec<(PathBuf, Vec<String>)>, ModelError> {
    let failed = |reason: String| ModelError::File { path: path.into(), reason };
    let index: Index = serde_json::from_slice(bytes).map_err(|e| {
        let expected = "expected JSON with \"weight_map\", which says for each tensor the file that holds it";
        failed(format!("is not an index of safetensors files ({e}); {expected}"))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map {
        if shard.is_empty() || shard.contains('\\') || !Path::new(&shard).components().all(is_normal) {
            let expected = "expected the name of a file in the folder of the index";
            return Err(failed(format!("places {tensor} in the file {shard:?}; {expected}")));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    Ok(shards.into_iter().map(|(shard, tensors)| (folder.join(shard), tensors)).collect())
}

fn is_normal(component: Component<'_>) -> bool {
    matches!(component, Component::Normal(_))
}

/// The first of some tensors, and how many more.
fn some(tensors: &[String]) -> String {
    match tensors {
        [] => "no tensor".into(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more tensors", rest.len()),
    }
}
