//! Metrics of the process, by the names that Prometheus' client libraries have in common.

use std::fmt;

use procfs::process::{LimitValue, Process};
use procfs::{CurrentSI, KernelStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Metrics;
use super::collected::put_as;

/// Registers processor time, memory, open files, threads and the start of the process.
pub fn register(metrics: &Metrics) {
    metrics.registry().register_collector(Box::new(OfProcess));
}

#[derive(Debug)]
struct OfProcess;

/// What `/proc/self` says.
struct Found {
    cpu_seconds: f64,
    start_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: u64,
    most_files: u64,
    threads: u64,
}

impl Found {
    fn read() -> procfs::ProcResult<Found> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let most_files = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(count) => count,
            LimitValue::Unlimited => u64::MAX,
        };
        let booted = KernelStats::current()?.btime as f64;
        Ok(Found {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            start_seconds: booted + stat.starttime as f64 / ticks,
            resident_bytes: stat.rss * procfs::page_size(),
            virtual_bytes: stat.vsize,
            open_files: process.fd_count()? as u64,
            most_files,
            threads: stat.num_threads as u64,
        })
    }
}

impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without /proc there are none.
        let Ok(found) = Found::read() else { return Ok(()) };
        let cpu = ConstCounter::new(found.cpu_seconds);
        put_as(&mut encoder, "process_cpu_seconds", "Processor time in user and system mode", &cpu)?;
        let start = ConstGauge::new(found.start_seconds);
        put_as(&mut encoder, "process_start_time_seconds", "Start of the process since 1970", &start)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", found.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory", found.virtual_bytes),
            ("process_open_fds", "Open files", found.open_files),
            ("process_max_fds", "Limit of open files", found.most_files),
            ("process_threads", "Threads", found.threads),
        ] {
            put_as(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}
