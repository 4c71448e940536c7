//! Drawing in SVG through plotters: a few shapes, in colours the page's style can replace.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What plotters draws on.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// What plotters says when it cannot.
pub(super) type Failure = DrawingAreaErrorKind<std::io::Error>;

/// plotters measures text with it; the page shows the reader's own font.
const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");

/// Readable on white and on near-black, and apart from each other for most eyes.
const SERIES: [RGBColor; 10] = [
    RGBColor(0x3B, 0x82, 0xC4),
    RGBColor(0xE0, 0x7B, 0x39),
    RGBColor(0x2F, 0x9E, 0x6E),
    RGBColor(0xB6, 0x5F, 0xCF),
    RGBColor(0xC4, 0x9A, 0x1F),
    RGBColor(0xD1, 0x49, 0x5B),
    RGBColor(0x2E, 0xA3, 0xB0),
    RGBColor(0x8A, 0x6D, 0x4B),
    RGBColor(0x7A, 0x7F, 0xD6),
    RGBColor(0x84, 0x8C, 0x95),
];

/// Colours by purpose: report.css gives ink, soft and grid other values in the dark.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Ink,
    Soft,
    Grid,
    Series(usize),
}

impl Colour {
    fn rgb(self) -> RGBColor {
        match self {
            Colour::Ink => RGBColor(0, 0, 0),
            Colour::Soft => RGBColor(0x77, 0x77, 0x77),
            Colour::Grid => RGBColor(0xE0, 0xE0, 0xE0),
            Colour::Series(i) => SERIES[i % SERIES.len()],
        }
    }
}

/// Where text stands by its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

/// An SVG of this size with a title for who cannot see it; `None` where plotters fails.
pub(super) fn svg(
    (width, height): (i32, i32),
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>,
) -> Option<String> {
    register();
    let mut text = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area).and_then(|()| area.present()).ok()?;
    }
    let (head, shapes) = text.split_once("<svg ")?.1.split_once('>')?;
    let title = escape(title);
    Some(format!("<svg role=\"img\" aria-label=\"{title}\" {head}><title>{title}</title>{shapes}"))
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // The font is part of the program; a font that cannot be read makes every chart `None`.
            let _ = register_font("sans-serif", style, FONT);
        }
    });
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text, its middle at this height.
pub(super) fn text(
    area: &Area<'_>,
    at: (i32, i32),
    words: &str,
    anchor: Anchor,
    colour: Colour,
) -> Result<(), Failure> {
    write(area, at, words, anchor, colour, FontStyle::Normal)
}

/// Text in bold, from this point.
pub(super) fn heading(area: &Area<'_>, at: (i32, i32), words: &str) -> Result<(), Failure> {
    write(area, at, words, Anchor::Left, Colour::Ink, FontStyle::Bold)
}

/// plotters divides by 1.24 to get the size in pixels: 12 of them.
const SIZE: f64 = 15.0;

fn write(
    area: &Area<'_>,
    at: (i32, i32),
    words: &str,
    anchor: Anchor,
    colour: Colour,
    style: FontStyle,
) -> Result<(), Failure> {
    let h_pos = match anchor {
        Anchor::Left => HPos::Left,
        Anchor::Centre => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let font = ("sans-serif", SIZE, style).into_font().color(&colour.rgb());
    area.draw(&Text::new(words.to_owned(), at, font.pos(Pos::new(h_pos, VPos::Center))))
}

/// A filled rectangle; `opacity` from 0 to 1.
pub(super) fn rectangle(
    area: &Area<'_>,
    corners: [(i32, i32); 2],
    colour: Colour,
    opacity: f64,
) -> Result<(), Failure> {
    area.draw(&Rectangle::new(corners, colour.rgb().mix(opacity).filled()))
}

/// A line through points.
pub(super) fn path(
    area: &Area<'_>,
    points: Vec<(i32, i32)>,
    colour: Colour,
    width: u32,
) -> Result<(), Failure> {
    area.draw(&PathElement::new(points, colour.rgb().stroke_width(width)))
}

/// A filled disc.
pub(super) fn disc(
    area: &Area<'_>,
    at: (i32, i32),
    radius: i32,
    colour: Colour,
) -> Result<(), Failure> {
    area.draw(&Circle::new(at, radius, colour.rgb().filled()))
}

/// A circle.
pub(super) fn ring(
    area: &Area<'_>,
    at: (i32, i32),
    radius: i32,
    colour: Colour,
) -> Result<(), Failure> {
    area.draw(&Circle::new(at, radius, colour.rgb().stroke_width(2)))
}

/// Two strokes across each other.
pub(super) fn cross(
    area: &Area<'_>,
    (x, y): (i32, i32),
    reach: i32,
    colour: Colour,
) -> Result<(), Failure> {
    path(area, vec![(x - reach, y - reach), (x + reach, y + reach)], colour, 2)?;
    path(area, vec![(x - reach, y + reach), (x + reach, y - reach)], colour, 2)
}
