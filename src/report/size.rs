//! Sizes as people read them.

/// A number of bytes with three significant digits at least, such as `1.50 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut hundredths = bytes.saturating_mul(100) / 1024;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    while hundredths >= 102_400 {
        let Some(next) = units.next() else { break };
        (hundredths, unit) = (hundredths / 1024, next);
    }
    match hundredths {
        0..1000 => format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100),
        1000..10_000 => format!("{}.{} {unit}", hundredths / 100, hundredths % 100 / 10),
        _ => format!("{} {unit}", hundredths / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let sizes = [0, 1023, 1024, 1536, 20_480, 300_000, 1 << 20, 5 << 30, u64::MAX].map(size);
        let expected = ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "20.0 KiB", "292 KiB", "1.00 MiB", "5.00 GiB"];
        assert_eq!(sizes[..8], expected);
    }
}
