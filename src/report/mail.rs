//! A page → the body of a mail: styles stand in the elements themselves, and every drawing is a picture by Content-ID, because
//! mail programs show neither style sheets that are linked nor SVG. Knows no template.

use std::fmt::Write;

use css_inline::CSSInliner;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::template::Image;
use crate::base::{Fingerprint, on_all_cores};

/// Pixels for each of the page's: crisp on the screens people have.
const SCALE: f32 = 2.0;

/// Why a page cannot be a mail.
pub(super) type Refused = String;

/// A `<style>` with `data-css-inline="keep"` stays (dark mode, small screens); all others are written into the elements.
pub(super) fn body(page: &str) -> Result<(String, Vec<Image>), Refused> {
    let (page, images) = pictures(page)?;
    let inliner = CSSInliner::options().load_remote_stylesheets(false).minify_css(true).build();
    let html = inliner.inline(&page).map_err(|e| format!("its styles: {e}"))?;
    // They have done their work when a mail leaves; what is kept has at-rules, which cannot stand in an element.
    Ok((html.replace(" data-css-inline=\"keep\"", ""), images))
}

/// Every `<svg>` as an `<img>` of the same size and words.
fn pictures(page: &str) -> Result<(String, Vec<Image>), Refused> {
    let mut out = String::with_capacity(page.len());
    let mut drawings: Vec<(String, &str)> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find("<svg") {
        let end = rest[at..].find("</svg>").map(|e| at + e + "</svg>".len()).ok_or("a drawing without an end")?;
        let svg = &rest[at..end];
        out.push_str(&rest[..at]);
        let tag = svg.split_once('>').map_or(svg, |(tag, _)| tag);
        let of = |name: &str| attribute(tag, name);
        let id = format!("{}@matins", Fingerprint::of_bytes(svg.as_bytes()).short());
        let (width, height) = (of("width").unwrap_or_default(), of("height").unwrap_or_default());
        if width.parse::<f32>().is_err() || height.parse::<f32>().is_err() {
            return Err("a drawing without `width` and `height` has no size in a mail".to_owned());
        }
        let alt = of("aria-label").unwrap_or_default();
        let _ = write!(
            out,
            "<img class=\"pic\" src=\"cid:{id}\" width=\"{width}\" height=\"{height}\" alt=\"{alt}\" border=\"0\">"
        );
        if !drawings.iter().any(|(known, _)| *known == id) {
            drawings.push((id, svg));
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    let drawn = on_all_cores(&drawings, |(_, svg)| png(svg));
    let images = drawings.iter().zip(drawn).map(|((id, _), png)| Ok(Image { id: id.clone(), png: png? }));
    Ok((out, images.collect::<Result<_, Refused>>()?))
}

/// An attribute of a tag as it is written there.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[from..].split_once('"').map(|(value, _)| value)
}

fn png(svg: &str) -> Result<Vec<u8>, Refused> {
    // In a page the namespace goes without saying.
    let alone = svg.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
    let tree = Tree::from_str(&alone, &Options::default()).map_err(|e| format!("a drawing: {e}"))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or("a drawing too large")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("a drawing without a size")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| format!("a drawing: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_becomes_a_picture_and_a_style_an_attribute() {
        let svg = "<svg viewBox=\"0 0 20 10\" width=\"20\" height=\"10\" role=\"img\" aria-label=\"Up, 1 &amp; 2\">\
                   <rect width=\"20\" height=\"10\" fill=\"#0072b2\"/></svg>";
        let page = format!(
            "<html><head><style>p{{color:#111}}</style><style data-css-inline=\"keep\">@media print{{p{{color:#222}}}}</style>\
             </head><body><p>a</p>{svg}{svg}</body></html>"
        );
        let (html, images) = body(&page).expect("a mail");
        assert!(html.contains("<p style=\"color:#111\">a</p>"), "{html}");
        assert!(html.contains("@media print{p{color:#222}}") && !html.contains("<svg"), "{html}");
        assert_eq!(images.len(), 1, "the same drawing is one picture");
        assert_eq!(html.matches(&format!("src=\"cid:{}\"", images[0].id)).count(), 2);
        assert!(html.contains("alt=\"Up, 1 &amp; 2\""), "{html}");
        assert!(images[0].png.starts_with(b"\x89PNG"));
        let at = |n: usize| u32::from_be_bytes(images[0].png[n..n + 4].try_into().expect("four bytes"));
        assert_eq!((at(16), at(20)), (40, 20), "twice the pixels");
    }
}
