-- For all wrk scripts: one line with what came of the run. `failed` counts answers from 400 on and socket errors, `transport`
-- the latter alone.
function done(summary, latency)
  local errors = summary.errors
  local transport = errors.connect + errors.read + errors.write + errors.timeout
  print(string.format(
    "requests=%d elapsed_us=%d p50_us=%d p99_us=%d p999_us=%d max_us=%d transport=%d failed=%d",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    latency.max, transport, errors.status + transport
  ))
end
