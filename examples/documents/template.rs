//! Text with `@WORDS@` to put something in for.

/// `template` with every `@WORD@` replaced by its value.
///
/// A word that the template does not hold, or one that is left over, is an error: a
/// renamed word must not silently lose a part of the text.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut text = template.to_owned();
    for (word, value) in values {
        let word = format!("@{word}@");
        if !text.contains(&word) {
            return Err(format!("no {word} in a template that begins {:?}", first_line(template)));
        }
        text = text.replace(&word, value.trim_end_matches('\n'));
    }
    match text.split('@').skip(1).step_by(2).find(|word| is_word(word)) {
        Some(word) => Err(format!("nothing to put in for @{word}@")),
        None => Ok(text),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced() {
        let text = fill("a @B@ c @B@ ${x[@]}\n@D@\n", &[("B", "1"), ("D", "2\n")]);
        assert_eq!(text.as_deref(), Ok("a 1 c 1 ${x[@]}\n2\n"));
    }

    #[test]
    fn a_word_too_many_or_too_few_is_an_error() {
        assert!(fill("a @B@", &[]).is_err());
        assert!(fill("a", &[("B", "1")]).is_err());
    }
}
