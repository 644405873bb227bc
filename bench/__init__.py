"""The benchmarks: `make bench`. docs/performance.md says what they found and under which conditions."""
