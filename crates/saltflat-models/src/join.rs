//! How branches become one.

use saltflat_config::named_enum;

use crate::jet::Jet;

named_enum! {
    /// How the outputs of branches become one.
    #[derive(Default)]
    pub enum Join {
        /// Their sum.
        #[default]
        Sum = "sum",
        /// Their channels, one branch after the other.
        Concat = "concat",
        /// Their product; a branch of one pixel has the same factor at every position.
        Product = "product",
    }
}

impl Join {
    /// Shape of the result for outputs of these shapes, if they fit each other.
    pub(crate) fn output(self, shapes: &[[usize; 3]]) -> Option<[usize; 3]> {
        let [first, rest @ ..] = shapes else { return None };
        match self {
            Self::Sum => rest.iter().all(|shape| shape == first).then_some(*first),
            Self::Concat => {
                let [_, h, w] = *first;
                let channels = shapes.iter().fold(0, |all: usize, shape| all.saturating_add(shape[0]));
                rest.iter().all(|shape| shape[1..] == first[1..]).then_some([channels, h, w])
            }
            Self::Product => {
                let has_positions = |shape: &&[usize; 3]| shape[1..] != [1, 1];
                let largest = *shapes.iter().find(has_positions).unwrap_or(first);
                let pixel = [largest[0], 1, 1];
                shapes.iter().all(|shape| *shape == largest || *shape == pixel).then_some(largest)
            }
        }
    }

    /// What the outputs have to be, in words.
    pub(crate) fn requirement(self) -> &'static str {
        match self {
            Self::Sum => "have one shape",
            Self::Concat => "have one height and width",
            Self::Product => "have as many channels each, and one height and width or a single pixel",
        }
    }

    /// The result for these outputs, in the order of the branches.
    pub(crate) fn of(self, others: Vec<Jet>, last: Jet, second_order: bool) -> Jet {
        match self {
            Self::Sum => match others.into_iter().reduce(|sum, next| next.plus(sum)) {
                Some(sum) => last.plus(sum),
                None => last,
            },
            Self::Concat => Jet::concat(others, last),
            Self::Product => match others.into_iter().reduce(|product, next| product.times(next, second_order)) {
                Some(product) => product.times(last, second_order),
                None => last,
            },
        }
    }
}
