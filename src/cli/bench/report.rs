//! What is shown of a measurement.

use std::{fs::File, path::Path, time::Duration};

use serde_json::Value;

use super::{Measured, usage::Usage};
use crate::{
    cli::{Context, failure::Failure},
    load::{Figures, Moment, Pace, per_second},
};

/// All there is to say, each under its name, in the order in which it is read.
pub(super) struct Report(Vec<(&'static str, Value)>);

impl Report {
    pub(super) fn new(measured: &Measured, figures: &Figures, used: &Usage) -> Self {
        let Measured { plan, connections, is_stream, keys, group_size, is_one_in } = measured;
        let rate = match plan.pace {
            Pace::Closed => Value::Null,
            Pace::Open { per_second } => per_second.into(),
        };
        // Processor time is counted from the end of the warm-up to that of the last call.
        let all: f64 = figures.moments.iter().map(|moment| after(moment, plan.warm_up)).sum();
        let per_million = |time: Option<Duration>| {
            time.filter(|_| all > 0.0)
                .map_or(Value::Null, |time| short(time.as_secs_f64() * 1e6 / all))
        };
        let failed: serde_json::Map<String, Value> =
            figures.failed.iter().map(|(class, count)| (class.clone(), (*count).into())).collect();
        let late = figures.never_begun + figures.never_ended;
        Self(vec![
            ("mode", if *is_stream { "stream" } else { "unary" }.into()),
            ("rate_offered", rate),
            ("in_flight", plan.in_flight.into()),
            ("connections", (*connections).into()),
            ("keys", keys.name().into()),
            ("group_size", (*group_size).into()),
            ("reps_in", if *is_one_in { 1 } else { *group_size }.into()),
            ("nodes", used.nodes().into()),
            ("seconds", short(figures.elapsed.as_secs_f64())),
            ("assigns", figures.done.into()),
            ("assigns_per_second", short(figures.rate())),
            ("failed", figures.failures().into()),
            ("failed_by_class", if failed.is_empty() { Value::Null } else { failed.into() }),
            ("never_begun_or_ended", late.into()),
            ("mean_ms", ms(figures.mean())),
            ("p50_ms", ms(figures.latency(0.5))),
            ("p90_ms", ms(figures.latency(0.9))),
            ("p99_ms", ms(figures.latency(0.99))),
            ("p999_ms", ms(figures.latency(0.999))),
            ("max_ms", ms(figures.slowest())),
            ("nodes_cpu_seconds_per_million", per_million(used.nodes_cpu())),
            ("leader_cpu_seconds_per_million", per_million(used.leader_cpu())),
            ("client_cpu_seconds_per_million", per_million(Some(used.client_cpu))),
            ("node_memory_bytes", used.memory_bytes().into()),
            ("node_data_bytes", used.data_bytes().into()),
        ])
    }

    pub(super) fn show(self, context: &Context) -> Result<(), Failure> {
        let (names, values): (Vec<&str>, Vec<Value>) = self.0.into_iter().unzip();
        context.output.record(&names, values)
    }
}

/// To four digits, or to whole numbers above that.
fn short(number: f64) -> Value {
    let step = [1e3, 1e2, 1e1, 1.0].into_iter().zip([10.0, 100.0, 1e3, f64::INFINITY]);
    let scale =
        step.into_iter().find(|(_, below)| number.abs() < *below).map_or(1.0, |(scale, _)| scale);
    Value::from((number * scale).round() / scale)
}

fn ms(time: Duration) -> Value {
    short(time.as_secs_f64() * 1e3)
}

/// How much of what ended in a moment did so after a time, if all did so evenly.
fn after(moment: &Moment, time: Duration) -> f64 {
    let length = moment.length.as_secs_f64();
    let late = moment.at.saturating_sub(time).as_secs_f64().min(length);
    per_second(moment.done + moment.failed, Duration::from_secs(1)) * (late / length.max(1e-9))
}

/// A file with a line for each interval.
pub(super) struct Series {
    writer: csv::Writer<File>,
    shown: String,
}

const SERIES: [&str; 6] = ["seconds", "assigns_per_second", "failed", "p50_ms", "p99_ms", "max_ms"];

impl Series {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| Failure::usage(format!("--series {shown}: {error}")))?;
        let mut series = Self { writer: csv::Writer::from_writer(file), shown };
        series.record(SERIES.map(str::to_owned))?;
        Ok(series)
    }

    pub(super) fn write(&mut self, moment: &Moment) -> Result<(), Failure> {
        let Moment { at, length, done, failed, p50, p99, max } = *moment;
        self.record([
            format!("{:.3}", at.as_secs_f64()),
            short(per_second(done, length)).to_string(),
            failed.to_string(),
            ms(p50).to_string(),
            ms(p99).to_string(),
            ms(max).to_string(),
        ])
    }

    fn record(&mut self, cells: [String; 6]) -> Result<(), Failure> {
        let written = self.writer.write_record(cells);
        let written = written.and_then(|()| self.writer.flush().map_err(Into::into));
        written.map_err(|error| Failure::failed(format!("cannot write {}: {error}", self.shown)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{after, short};
    use crate::load::Moment;

    #[test]
    fn what_ended_in_the_warm_up_does_not_count() {
        let ms = Duration::from_millis;
        let moment = |at, length| Moment {
            at: ms(at),
            length: ms(length),
            done: 900,
            failed: 100,
            ..Moment::default()
        };
        let counted = |at, length, warm_up| after(&moment(at, length), ms(warm_up)).round();
        assert_eq!(counted(1_000, 1_000, 1_000), 0.0);
        assert_eq!(counted(1_000, 1_000, 750), 250.0);
        assert_eq!(counted(2_000, 1_000, 1_000), 1_000.0);
        assert_eq!(counted(0, 0, 0), 0.0);
    }

    #[test]
    fn numbers_are_short_without_losing_what_matters() {
        for (number, shown) in [
            (0.0, "0.0"),
            (0.123_46, "0.123"),
            (12.345, "12.35"),
            (123.46, "123.5"),
            (98_765.4, "98765.0"),
        ] {
            assert_eq!(short(number).to_string(), shown);
        }
    }
}
