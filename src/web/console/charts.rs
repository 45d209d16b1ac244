//! A column chart that the template draws as SVG, so that it needs no script and no inline style.

/// A column chart, the oldest column first. The page also has a table with the same numbers.
pub struct Chart {
    /// Each column's name, its height in per cent of the highest, and its value as text.
    pub columns: Vec<(String, u32, String)>,
}

impl Chart {
    /// The width of a column with its gap. The whole chart is 1000 wide.
    pub fn width(&self) -> usize {
        1000 / self.columns.len().max(1)
    }

    /// The names of the first and the last column, which label the axis.
    pub fn ends(&self) -> [&str; 2] {
        [self.columns.first(), self.columns.last()].map(|column| column.map_or("", |(name, ..)| name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_side_by_side() {
        let chart = |days: usize| Chart {
            columns: (0..days).map(|day| (day.to_string(), 50, String::new())).collect(),
        };
        assert_eq!((chart(30).width() * 30 <= 1000, chart(30).ends()), (true, ["0", "29"]));
        assert_eq!((chart(0).width(), chart(0).ends()), (1000, ["", ""]));
    }
}
