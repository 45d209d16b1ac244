//! Reads the settings of logs, Sentry and traces.

use super::Reader;
use crate::telemetry::{Addresses, LogFormat, SentrySettings, TelemetrySettings, TraceSettings, are_log_levels};

impl Reader<'_> {
    pub fn telemetry(&mut self) -> TelemetrySettings {
        let log_format = match self.text("LOG_FORMAT").as_deref() {
            None | Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(_) => {
                self.fault("LOG_FORMAT", "must be `json` or `text`");
                LogFormat::Json
            }
        };
        let log_addresses = match self.text("LOG_ADDRESSES").as_deref() {
            None | Some("no") => Addresses::Hidden,
            Some("yes") => Addresses::Kept,
            Some(_) => {
                self.fault("LOG_ADDRESSES", "must be `yes` or `no`");
                Addresses::Hidden
            }
        };
        TelemetrySettings {
            log_format,
            log_levels: self.log_levels().unwrap_or(TelemetrySettings::default().log_levels),
            log_addresses,
            sentry: self.sentry(),
            traces: self.traces(),
        }
    }

    /// What is logged, if `RUST_LOG` says so.
    pub fn log_levels(&mut self) -> Option<String> {
        let levels = self.text("RUST_LOG")?;
        if !are_log_levels(&levels) {
            self.fault(
                "RUST_LOG",
                "must be a level (error, warn, info, debug or trace), or levels by module such as info,countersign=debug",
            );
        }
        Some(levels)
    }

    fn sentry(&mut self) -> Option<SentrySettings> {
        let dsn = self.secret("SENTRY_DSN")?;
        let settings = SentrySettings {
            dsn,
            environment: self.text("SENTRY_ENVIRONMENT").unwrap_or_else(|| "production".into()),
        };
        if !settings.fits() {
            self.fault(
                "SENTRY_DSN",
                "must be a DSN of Sentry's, such as https://KEY@HOST/PROJECT",
            );
        }
        Some(settings)
    }

    fn traces(&mut self) -> Option<TraceSettings> {
        let endpoint = self.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?;
        let fits = url::Url::parse(&endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !fits {
            self.fault(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "must be where spans are posted to, such as http://collector:4318/v1/traces",
            );
        }
        let percent = self.number("TRACE_PERCENT", 0..=100, 100);
        Some(TraceSettings {
            endpoint,
            share: percent as f64 / 100.0,
        })
    }
}
