//! The template draws these columns as SVG, so that no script and no style is needed.

/// The columns stand side by side, the oldest first. The table below the chart says the same in words.
pub struct Chart {
    /// Each column has a name, a height in per cent of the highest, and its value in words.
    pub columns: Vec<(String, u32, String)>,
}

impl Chart {
    /// A column and its gap are so wide; the whole chart is 1000.
    pub fn width(&self) -> usize {
        1000 / self.columns.len().max(1)
    }

    /// The axis names the first and the last column.
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
