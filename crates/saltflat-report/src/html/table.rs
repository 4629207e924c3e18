//! Tables that scroll inside their own box.

/// Rows of cells that are HTML already.
pub(super) struct Table {
    heads: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub fn new(heads: impl IntoIterator<Item = String>) -> Self {
        Self { heads: heads.into_iter().collect(), rows: Vec::new() }
    }

    /// A row: its head and its cells.
    pub fn row(&mut self, head: String, cells: impl IntoIterator<Item = String>) {
        self.rows.push((head, cells.into_iter().collect()));
    }

    /// With cells of text.
    pub fn prose(&self) -> String {
        self.html("prose")
    }

    /// With cells of numbers, set to the right.
    pub fn numbers(&self) -> String {
        self.html("numbers")
    }

    fn html(&self, class: &str) -> String {
        let heads: String = self.heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
        let row = |(head, cells): &(String, Vec<String>)| {
            let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr><th scope=\"row\">{head}</th>{cells}</tr>\n")
        };
        let rows: String = self.rows.iter().map(row).collect();
        // Scrolling by keyboard needs a focus.
        format!(
            "<div class=\"box\" tabindex=\"0\">\n<table class=\"{class}\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n\
             {rows}</tbody>\n</table>\n</div>\n"
        )
    }
}
