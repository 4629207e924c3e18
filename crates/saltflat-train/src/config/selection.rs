//! Which metrics are measured, by their names.

use saltflat_config::nearest;
use saltflat_record::metric::{self, Group, Origin};

use super::MetricsConfig;

impl MetricsConfig {
    /// Only the groups of these names, each the name of a group or of a metric, or `all`. A group that was off gets its
    /// defaults; if neither ‖H‖_F nor the traces by tensor are asked for, the trace takes quadratic forms.
    ///
    /// # Errors
    /// A sentence about the first name that is not known, with the nearest that is.
    pub fn only(&self, names: &[&str]) -> Result<Self, String> {
        let names_of =
            |group: &'static Group| std::iter::once(group.name).chain(group.selectable().map(|metric| metric.name));
        let known: Vec<&str> = metric::groups_from(Origin::Measurement).flat_map(names_of).collect();
        if let Some(name) = names.iter().find(|name| **name != "all" && !known.contains(name)) {
            let hint = match nearest(name, &known) {
                Some(near) => format!("; did you mean {near}?"),
                None => format!("; there are all, {}", known.join(", ")),
            };
            return Err(format!("{name} is not a metric{hint}"));
        }
        // `all` asks for every group, but for none of the metrics that a group gives only if they are asked for.
        let groups = || metric::groups_from(Origin::Measurement).map(|group| group.name);
        let is_asked =
            |name: &str| names.contains(&name) || names.contains(&"all") && groups().any(|group| group == name);
        let mut only = self.clone();
        only.switch_groups(&|group| names_of(group.group()).any(is_asked), &|group| group.select(&is_asked));
        Ok(only)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use saltflat_config::{Problems, Section};
    use toml::Table;

    use super::*;

    /// Every group of the catalogue that is measured has its entry in the list, in the same order.
    #[test]
    fn the_groups_are_those_of_the_catalogue() {
        let empty = Section::root(Table::new(), Path::new(""), &Problems::default());
        let all = super::super::metrics::read(empty).only(&["all"]).expect("all is a name");
        let expected: Vec<&str> = metric::groups_from(Origin::Measurement).map(|group| group.name).collect();
        assert_eq!(all.groups(), expected);
    }
}
