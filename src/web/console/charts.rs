//! What is drawn: columns, a QR code. The template makes SVG of it, so that no script and no style is needed.

use qrcode::{Color, QrCode};

/// Columns side by side, oldest first. The table beside it says the same in words.
pub struct Chart {
    pub caption: &'static str,
    /// What each column is, how high it is in per cent of the highest, and what that is in words.
    pub columns: Vec<(String, u32, String)>,
}

impl Chart {
    /// The width of a column and its gap, of 1000 for the whole chart.
    pub fn width(&self) -> usize {
        1000 / self.columns.len().max(1)
    }

    /// The first and the last column, for the axis.
    pub fn ends(&self) -> [&str; 2] {
        [self.columns.first(), self.columns.last()].map(|column| column.map_or("", |(name, ..)| name.as_str()))
    }
}

/// A QR code, for a phone's camera.
pub struct Qr {
    pub label: &'static str,
    /// Modules of a side, with the quiet zone.
    pub side: usize,
    /// The dark modules, as the data of an SVG path.
    pub path: String,
}

impl Qr {
    /// Modules left free on each side (ISO/IEC 18004).
    const QUIET: usize = 4;

    /// None where the text is too long for a code.
    pub fn of(label: &'static str, text: &str) -> Option<Self> {
        let code = QrCode::new(text).ok()?;
        let width = code.width();
        let dark = code
            .to_colors()
            .into_iter()
            .enumerate()
            .filter(|(_, color)| *color == Color::Dark);
        let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + Self::QUIET, at / width + Self::QUIET));
        Some(Self {
            label,
            side: width + 2 * Self::QUIET,
            path: path.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rqrr::PreparedImage;

    use super::*;

    /// What a phone's camera would read.
    fn read(qr: &Qr) -> String {
        const SCALE: usize = 4;
        let mut dark = vec![false; qr.side * qr.side];
        for module in qr.path.split('M').skip(1) {
            let (x, y) = module.trim_end_matches("h1v1h-1z").split_once(' ').expect("a place");
            let (x, y): (usize, usize) = (x.parse().expect("a number"), y.parse().expect("a number"));
            dark[y * qr.side + x] = true;
        }
        let shade = |x: usize, y: usize| if dark[y / SCALE * qr.side + x / SCALE] { 0 } else { 255 };
        let mut image = PreparedImage::prepare_from_greyscale(qr.side * SCALE, qr.side * SCALE, shade);
        let (_, text) = image.detect_grids()[0].decode().expect("a code");
        text
    }

    #[test]
    fn a_camera_reads_what_was_drawn() {
        for text in [
            "otpauth://totp/Harbour%20Goods:staff%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Harbour%20Goods",
            "x",
        ] {
            assert_eq!(read(&Qr::of("", text).expect("short enough")), text);
        }
        assert!(Qr::of("", &"x".repeat(3000)).is_none());
    }

    #[test]
    fn columns_stand_side_by_side() {
        let chart = |days: usize| Chart {
            caption: "",
            columns: (0..days).map(|day| (day.to_string(), 50, String::new())).collect(),
        };
        assert_eq!((chart(30).width() * 30 <= 1000, chart(30).ends()), (true, ["0", "29"]));
        assert_eq!((chart(0).width(), chart(0).ends()), (1000, ["", ""]));
    }
}
