//! Statistics over the seeds of a group and over the points of a trajectory.
//!
//! Values that are not finite are left out by the callers. What needs more values than there are is `None`.

mod correlation;
mod mean;
mod paired;

pub use correlation::{pearson, running_average, spearman};
pub use mean::{Line, Mean, extremes, growth, median};
pub use paired::Difference;
