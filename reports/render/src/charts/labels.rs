//! Names beside points, placed so that none covers another or a point.

/// A name where it stands; `from` is where a line to its point starts, for names that had to move away.
pub(super) struct Label<'a> {
    pub(super) words: &'a str,
    pub(super) from: Option<(i32, i32)>,
    /// The left end of the text, its middle in height.
    pub(super) at: (i32, i32),
}

/// A rectangle: left, top, right, bottom.
type Box = [i32; 4];

/// Size of text in pixels; characters are at most this wide on average.
const CHARACTER: i32 = 8;
const HEIGHT: i32 = 15;
/// Room between a point and its name.
const GAP: i32 = 4;
/// How far names move away, in steps of their height.
const STEPS: i32 = 12;

/// A place for each name within the bounds, where it covers no point and none of these lines, which run straight across or upright.
pub(super) fn place<'a>(
    points: &[(&'a str, (i32, i32))],
    lines: &[[(i32, i32); 2]],
    bounds: [(i32, i32); 2],
    radius: i32,
) -> Vec<Label<'a>> {
    let disc = |&(_, (x, y)): &(&str, (i32, i32))| [x - radius, y - radius, x + radius, y + radius];
    let line = |&[(x, y), (to_x, to_y)]: &[(i32, i32); 2]| {
        [x.min(to_x) - 1, y.min(to_y) - 1, x.max(to_x) + 1, y.max(to_y) + 1]
    };
    let mut taken: Vec<Box> = points.iter().map(disc).chain(lines.iter().map(line)).collect();
    let mut labels = Vec::new();
    for &(words, point) in points {
        let wide = CHARACTER * words.chars().count() as i32;
        let free = candidates(point, wide, radius).into_iter().find(|&at| {
            let covered = covers(at, wide);
            inside(covered, bounds) && taken.iter().all(|other| !meet(covered, *other))
        });
        // Where there is no room at all, beside the point is the least wrong.
        let at = free.unwrap_or((point.0 + radius + GAP, point.1));
        taken.push(covers(at, wide));
        let far = (at.1 - point.1).abs() > HEIGHT + radius;
        let from = far.then_some(point);
        labels.push(Label { words, from, at });
    }
    labels
}

/// Places in the order of preference: right, left, above, below, then farther up and down.
fn candidates((x, y): (i32, i32), wide: i32, radius: i32) -> Vec<(i32, i32)> {
    let (right, left, centre) = (x + radius + GAP, x - radius - GAP - wide, x - wide / 2);
    let off = radius + GAP + HEIGHT / 2;
    let mut places = vec![(right, y), (left, y), (centre, y - off), (centre, y + off)];
    for step in 1..=STEPS {
        let away = off + step * HEIGHT / 2;
        places.extend([(right, y - away), (right, y + away), (left, y - away), (left, y + away)]);
    }
    places
}

fn covers((x, y): (i32, i32), wide: i32) -> Box {
    [x, y - HEIGHT / 2, x + wide, y + HEIGHT / 2]
}

fn inside(covered: Box, [(left, top), (right, bottom)]: [(i32, i32); 2]) -> bool {
    covered[0] >= left && covered[1] >= top && covered[2] <= right && covered[3] <= bottom
}

fn meet(a: Box, b: Box) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [(i32, i32); 2] = [(0, 0), (900, 400)];

    #[test]
    fn no_name_covers_another_or_a_point() {
        let points: Vec<(&str, (i32, i32))> =
            (0..8).map(|i| ("Q4_K_M", (400 + 9 * i, 200 + 7 * (i % 3)))).collect();
        let labels = place(&points, &[], BOUNDS, 6);
        let boxes: Vec<Box> = labels.iter().map(|label| covers(label.at, 6 * CHARACTER)).collect();
        for (i, a) in boxes.iter().enumerate() {
            assert!(inside(*a, BOUNDS));
            assert!(boxes[..i].iter().all(|b| !meet(*a, *b)), "{boxes:?}");
            for (_, (x, y)) in &points {
                assert!(!meet(*a, [x - 6, y - 6, x + 6, y + 6]), "{boxes:?}");
            }
        }
    }

    #[test]
    fn a_name_gives_way_to_the_line_through_its_point() {
        let lines = [[(100, 50), (100, 200)], [(100, 200), (600, 200)]];
        let labels = place(&[("Q4_K_M", (100, 200))], &lines, BOUNDS, 6);
        assert!(labels[0].at.0 + 6 * CHARACTER < 100, "left of the upright piece");
    }

    #[test]
    fn a_name_stands_off_the_interval_of_its_point() {
        let labels = place(&[("Q4_0", (400, 200))], &[[(200, 200), (700, 200)]], BOUNDS, 6);
        assert!((labels[0].at.1 - 200).abs() > HEIGHT / 2, "above or below it");
        assert!(labels[0].from.is_none(), "and near");
    }

    #[test]
    fn a_name_at_the_edge_stands_on_the_other_side() {
        let labels = place(&[("Q4_K_M", (895, 200))], &[], BOUNDS, 6);
        assert!(labels[0].at.0 < 895 && labels[0].from.is_none());
    }
}
