//! Multipart forms: the result does not depend on how they are split, and the span
//! of the model is that of its value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::multipart::{ModelField, MultipartError, MultipartScanner};

fn read<'f>(chunks: impl Iterator<Item = &'f [u8]>) -> Result<Option<ModelField>, MultipartError> {
    let mut form = MultipartScanner::new(b"multipart/form-data; boundary=x")?;
    for chunk in chunks {
        form.feed(chunk)?;
    }
    form.finish()?;
    Ok(form.model().cloned())
}

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else {
        return;
    };
    let expected = read(std::iter::once(body));
    assert_eq!(expected, read(body.chunks(usize::from(*size).max(1))));
    if let Ok(Some(model)) = expected {
        let span = model.span.start as usize..model.span.end as usize;
        assert_eq!(&body[span], model.name.as_bytes());
    }
});
