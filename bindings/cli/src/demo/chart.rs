//! The rate of each subflow over time, drawn as SVG.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::COLOURS;
use super::history::{History, Track};
use super::story::Step;
use crate::failure::Failure;

const SIZE: (u32, u32) = (1040, 520);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(60, 60, 67);
const PALE: RGBColor = RGBColor(225, 225, 230);
/// How many rates are drawn.
const RATES: u32 = 160;
/// A rate over less than this depends more on the time of the reading than on the wire.
const SHORTEST: Duration = Duration::from_millis(150);

type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Checks before the transfer that the chart can be written.
pub(super) fn check(file: &Path) -> Result<(), Failure> {
    let is_new = !file.exists();
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|_| if is_new { fs::remove_file(file) } else { Ok(()) })
        .map_err(|error| {
            Failure::system(format_args!("cannot write the chart {}", file.display()), &error)
                .remedy("Pass a file that can be written: --chart FILE.")
        })
}

/// Draws the chart and writes it to a file.
pub(super) fn write(
    file: &Path,
    title: &str,
    history: &History,
    steps: &[Step],
) -> Result<(), Failure> {
    let mut svg = String::new();
    let failed = |error: io::Error| {
        Failure::system(format_args!("cannot write the chart {}", file.display()), &error)
    };
    draw(&mut svg, title, history, steps)
        .map_err(|error| failed(io::Error::other(error.to_string())))?;
    fs::write(file, svg).map_err(failed)
}

fn draw(
    svg: &mut String,
    title: &str,
    history: &History,
    steps: &[Step],
) -> Result<(), Box<dyn std::error::Error>> {
    let end = steps.last().map_or(Duration::ZERO, |step| step.at).max(SHORTEST);
    let curves: Vec<_> = history.tracks.iter().map(|track| (track, curve(track, end))).collect();
    let sum = slices(end).map(|(from, to)| (middle(from, to), history.rate(from, to) / 1e6));
    let sum: Vec<_> = sum.collect();
    let highest = curves.iter().flat_map(|(_, curve)| curve).chain(&sum).map(|(_, rate)| *rate);
    // Space above the curves for the labels of the steps.
    let top = highest.fold(1.0, f64::max) * 1.2;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(28)
        .caption(title, (FONT, 19).into_font().color(&INK))
        .x_label_area_size(46)
        .y_label_area_size(62)
        .build_cartesian_2d(0.0..end.as_secs_f64(), 0.0..top)?;
    let text = (FONT, 13).into_font().color(&INK);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(PALE)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .x_desc("seconds")
        .y_desc("Mbit/s received")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .label_style(text.clone())
        .axis_desc_style(text)
        .draw()?;
    draw_sum(&mut chart, sum)?;
    for (track, curve) in curves {
        draw_curve(&mut chart, track, curve)?;
    }
    draw_steps(&mut chart, steps, end, top)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.9))
        .border_style(PALE)
        .label_font((FONT, 13).into_font().color(&INK))
        .draw()?;
    root.present()?;
    Ok(())
}

fn draw_curve(
    chart: &mut Chart<'_>,
    track: &Track,
    curve: Vec<(f64, f64)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (_, (red, green, blue)) = COLOURS[track.path];
    let colour = RGBColor(red, green, blue);
    let area = AreaSeries::new(curve, 0.0, colour.mix(0.14)).border_style(colour.stroke_width(2));
    let label = format!("{}, subflow {}", track.name(), track.subflow.id);
    chart.draw_series(area)?.label(label).legend(move |(x, y)| {
        Rectangle::new([(x, y - 4), (x + 16, y + 4)], colour.mix(0.7).filled())
    });
    Ok(())
}

/// A line down from the label for each step that has one.
fn draw_steps(
    chart: &mut Chart<'_>,
    steps: &[Step],
    end: Duration,
    top: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let marks = steps.iter().filter_map(|step| Some((step.at, step.act.mark()?)));
    for (index, (at, mark)) in marks.enumerate() {
        let x = at.as_secs_f64();
        // Labels alternate between two heights, so that adjacent ones do not overlap.
        let y = top * if index % 2 == 0 { 0.985 } else { 0.93 };
        let line = DashedLineSeries::new([(x, 0.0), (x, y)], 3, 4, INK.mix(0.6).stroke_width(1));
        chart.draw_series(line)?;
        let label =
            Text::new(mark, (x + end.as_secs_f64() * 0.005, y), (FONT, 13).into_font().color(&INK));
        chart.draw_series(std::iter::once(label))?;
    }
    Ok(())
}

/// The sum of both: the rate that the program receives.
fn draw_sum(chart: &mut Chart<'_>, sum: Vec<(f64, f64)>) -> Result<(), Box<dyn std::error::Error>> {
    let style = INK.mix(0.45).stroke_width(1);
    let legend = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style);
    chart.draw_series(LineSeries::new(sum, style))?.label("together").legend(legend);
    Ok(())
}

/// The rates of a subflow, in Mbit/s, from its opening to its end.
fn curve(track: &Track, end: Duration) -> Vec<(f64, f64)> {
    let opened = track.points.first().map_or(Duration::ZERO, |point| point.at);
    let closed = track.closed.unwrap_or(end).min(end);
    let mut curve = vec![(opened.as_secs_f64(), 0.0)];
    for (from, to) in slices(end) {
        let (from, to) = (from.max(opened), to.min(closed));
        if from < to {
            curve.push((middle(from, to), track.rate(from, to) / 1e6));
        }
    }
    curve.push((closed.as_secs_f64(), 0.0));
    curve
}

/// The whole time in equal parts. One rate is drawn for each part.
fn slices(end: Duration) -> impl Iterator<Item = (Duration, Duration)> {
    let each = (end / RATES).max(SHORTEST);
    let count = (end.as_secs_f64() / each.as_secs_f64()).ceil() as u32;
    (0..count).map(move |index| (each * index, (each * (index + 1)).min(end)))
}

fn middle(from: Duration, to: Duration) -> f64 {
    ((from + to) / 2).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_needs_a_folder_that_is_there() {
        let failure = check(Path::new("/nowhere/at/all.svg")).unwrap_err();
        assert!(failure.to_string().contains("--chart"));
    }
}
