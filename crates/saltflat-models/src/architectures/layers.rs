//! A network that is given layer by layer.

use saltflat_config::{Section, parse};
use saltflat_record::read_text;
use serde::Serialize;

use crate::{Architecture, ArchitectureKeys, Item, ModelError, Size, list::read_list};

/// A list of layers, in place (`layers`) or in a file of its own (`file`, which holds `layers`). The names of the tensors are those of the items,
/// or their indices, as in `nn.Sequential`. The output of the last layer has as many numbers as the network has outputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerList {
    /// The layers, in order.
    pub layers: Vec<Item>,
}

/// What is expected of a section without a list.
const EXPECTED: &str = "expected a list of layers, or file with the path of a file that holds one";

impl ArchitectureKeys for LayerList {
    const NAME: &'static str = "layers";
    const EXAMPLE: &'static str =
        "layers = [\"flatten\", { kind = \"linear\", outputs = 8 }, \"relu\", { kind = \"linear\", outputs = 10 }]";

    fn read(section: &mut Section) -> Self {
        let (layers, file) = (read_list(section, "layers"), section.path("file", ""));
        let layers = match (layers, file) {
            (Some(layers), None) => layers,
            (None, Some(path)) => {
                let text = read_text(&path).map_err(|e| format!("{}: {e}", path.display()));
                match text.and_then(|text| parse(&text).map_err(|e| format!("{}: {e}", path.display()))) {
                    Ok(table) => {
                        let mut file = section.child("file", table);
                        if !file.has("layers") {
                            file.problem("layers", "is missing; expected a list of layers");
                        }
                        let layers = read_list(&mut file, "layers").unwrap_or_default();
                        file.finish("a file of layers");
                        layers
                    }
                    Err(reason) => {
                        section.problem("file", reason);
                        Vec::new()
                    }
                }
            }
            (Some(_), Some(_)) => {
                section.problem("file", "expected one of layers and file, got both");
                Vec::new()
            }
            (None, None) => {
                if !section.refused(&["layers", "file"]) {
                    section.problem("layers", format!("is missing; {EXPECTED}"));
                }
                Vec::new()
            }
        };
        Self { layers }
    }
}

impl Architecture for LayerList {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn sizes(&self) -> Vec<Size> {
        // The list is checked layer by layer.
        Vec::new()
    }

    fn layers(&self, _: [usize; 3], _: usize) -> Result<Vec<Item>, ModelError> {
        match self.layers.is_empty() {
            true => Err(ModelError::config("model.layers", "at least one layer", "none")),
            false => Ok(self.layers.clone()),
        }
    }
}
