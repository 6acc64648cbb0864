//! Inputs that are near to what is right: random bytes alone never get beyond a parser's first line.

use bolero::{Driver, ValueGenerator};

use crate::Input;

/// Makes inputs of samples and words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Near {
    /// What is right, or was once wrong.
    pub(crate) samples: Vec<Vec<u8>>,
    /// What means something to the parser.
    pub(crate) words: Vec<Vec<u8>>,
}

/// Bytes of an input, at most.
const LEN_MAX: usize = 4 << 10;

/// Changes of one input, at most.
const CHANGES_MAX: usize = 7;

impl ValueGenerator for Near {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut bytes = self.start(driver)?;
        for _ in 0..below(driver, CHANGES_MAX + 1)? {
            self.change(driver, &mut bytes)?;
        }
        bytes.truncate(LEN_MAX);
        let spare = (0..below(driver, 9)?).map(|_| driver.produce::<u8>()).collect::<Option<_>>()?;
        Some(Input { bytes, spare })
    }
}

impl Near {
    fn start<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        let kind = below(driver, 8)?;
        if self.samples.is_empty() || kind == 0 {
            return (0..below(driver, 64)?).map(|_| driver.produce::<u8>()).collect();
        }
        let mut bytes = self.samples[below(driver, self.samples.len())?].clone();
        if kind == 1 {
            // The beginning of one and the end of another.
            let other = &self.samples[below(driver, self.samples.len())?];
            bytes.truncate(below(driver, bytes.len() + 1)?);
            bytes.extend_from_slice(&other[below(driver, other.len() + 1)?..]);
        } else if kind == 2 {
            bytes.extend_from_slice(&self.samples[below(driver, self.samples.len())?]);
        }
        Some(bytes)
    }

    fn change<D: Driver>(&self, driver: &mut D, bytes: &mut Vec<u8>) -> Option<()> {
        let at = place(driver, bytes)?;
        match below(driver, 8)? {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(driver, 8)?,
            1 if at < bytes.len() => bytes[at] = driver.produce()?,
            2 => bytes.insert(at, driver.produce()?),
            3 => {
                let len = if driver.produce()? { 1 } else { 1 + below(driver, 8)? };
                let end = (at + len).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            4 => {
                let end = (at + 1 + below(driver, 64)?).min(bytes.len());
                let copy = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => bytes.truncate(at),
            _ if !self.words.is_empty() => {
                let word = &self.words[below(driver, self.words.len())?];
                let end = if driver.produce()? { at } else { (at + word.len()).min(bytes.len()) };
                bytes.splice(at..end, word.iter().copied());
            }
            _ => bytes.insert(at, driver.produce()?),
        }
        Some(())
    }
}

/// Anywhere, or where something ends: a word, a line.
fn place<D: Driver>(driver: &mut D, bytes: &[u8]) -> Option<usize> {
    let at = below(driver, bytes.len() + 1)?;
    let is_end: fn(&u8) -> bool = match below(driver, 3)? {
        0 => return Some(at),
        1 => |byte| *byte == b'\n',
        _ => |byte| !byte.is_ascii_alphanumeric(),
    };
    let found = bytes[at..].iter().position(is_end);
    // Before the end or after it.
    found.map_or(Some(at), |len| Some(at + len + usize::from(driver.produce::<bool>()?)))
}

fn below<D: Driver>(driver: &mut D, end: usize) -> Option<usize> {
    Some(usize::from(driver.produce::<u16>()?) % end)
}
