//! A QR code that the template draws as SVG, so that it needs no script and no inline style.

use qrcode::{Color, QrCode};

/// A QR code.
pub struct Qr {
    /// The number of modules on a side, including the quiet zone.
    pub side: usize,
    /// The dark modules, as the data of an SVG path.
    pub path: String,
}

impl Qr {
    /// The width of the quiet zone on each side, in modules (ISO/IEC 18004).
    const QUIET: usize = 4;

    /// The QR code of a text. None if the text is too long.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::new(text).ok()?;
        let width = code.width();
        let dark = code
            .to_colors()
            .into_iter()
            .enumerate()
            .filter(|(_, color)| *color == Color::Dark);
        let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + Self::QUIET, at / width + Self::QUIET));
        Some(Self {
            side: width + 2 * Self::QUIET,
            path: path.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rqrr::PreparedImage;

    use super::*;

    /// Reads the code as a phone's camera would.
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
            assert_eq!(read(&Qr::of(text).expect("short enough")), text);
        }
        assert!(Qr::of(&"x".repeat(3000)).is_none());
    }
}
