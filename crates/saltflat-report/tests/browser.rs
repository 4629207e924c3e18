//! The page as a browser shows it: at the width of a phone, in the light and in the dark. Without Chromium nothing is
//! tested, and said so.

#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::Path, process::Command};

use saltflat_report::{html, parse_figures};
use serde_json::Value;
use support::{FIGURES, page};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Tells the frame around it what the page looks like.
const PROBE: &str = r#"<script>
addEventListener("load", async () => {
  const wide = innerWidth;
  const scrolls = e => e.closest(".box, pre") !== null;
  const beyond = [...document.body.querySelectorAll("*")]
    .filter(e => !scrolls(e) && !(e.ownerSVGElement) && e.getBoundingClientRect().right > wide + 1)
    .map(e => e.tagName + " " + e.className);
  const figures = [...document.querySelectorAll("figure > svg")];
  const colors = [];
  for (const svg of figures) {
    const picture = new Image();
    const text = new XMLSerializer().serializeToString(svg);
    await new Promise((done, failed) => {
      picture.onload = done;
      picture.onerror = () => failed(new Error("a figure is no picture"));
      picture.src = "data:image/svg+xml," + encodeURIComponent(text);
    });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [360, 220];
    const paint = canvas.getContext("2d");
    paint.drawImage(picture, 0, 0, 360, 220);
    const pixels = new Uint32Array(paint.getImageData(0, 0, 360, 220).data.buffer);
    colors.push(new Set(pixels).size);
  }
  const paper = figures[0].querySelector("rect");
  const requests = performance.getEntriesByType("resource").filter(r => !r.name.startsWith("data:")).map(r => r.name);
  parent.postMessage({
    wide, scroll: document.documentElement.scrollWidth, beyond, colors, requests,
    least: Math.min(...figures.map(f => f.getBoundingClientRect().width)),
    most: Math.max(...figures.map(f => f.getBoundingClientRect().width)),
    background: getComputedStyle(document.body).backgroundColor, paper: getComputedStyle(paper).fill,
    ink: getComputedStyle(document.body).color, letters: document.body.innerText.length,
  }, "*");
});
</script>"#;

fn browser() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    BROWSERS.into_iter().find(runs)
}

/// What the probe tells of the page in a frame of this width.
fn look(browser: &str, folder: &Path, page: &str, width: u32, dark: bool) -> Value {
    // A browser window has a least width; a frame has none.
    let frame = format!(
        "<!DOCTYPE html><body><pre id=\"probe\"></pre><script>addEventListener('message', m => \
         document.getElementById('probe').textContent = JSON.stringify(m.data))</script>\
         <iframe src=\"page.html\" style=\"border:0;width:{width}px;height:900px\"></iframe></body>"
    );
    fs::write(folder.join("frame.html"), frame).unwrap();
    fs::write(folder.join("page.html"), page.replace("</body>", &format!("{PROBE}</body>"))).unwrap();
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("file://{}", folder.join("frame.html").display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = dom.split_once("<pre id=\"probe\">").unwrap().1.split_once("</pre>").unwrap().0;
    serde_json::from_str(told).unwrap_or_else(|e| panic!("{e}: {told} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn the_page_fits_a_phone_and_the_dark() {
    let Some(browser) = browser() else {
        println!("skipped: none of {} is installed", BROWSERS.join(", "));
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path());
    page.figures = parse_figures(FIGURES).unwrap();
    page.text = "averyveryverylongwordwithoutanyplacetobreak".repeat(5);
    let text = html(&page);
    for (width, dark, background) in
        [(390, false, "rgb(255, 255, 255)"), (390, true, "rgb(20, 23, 26)"), (1200, true, "rgb(20, 23, 26)")]
    {
        let seen = look(browser, folder.path(), &text, width, dark);
        assert_eq!(seen["wide"], width, "{seen}");
        assert!(seen["scroll"].as_u64().unwrap() <= u64::from(width), "{seen}");
        assert_eq!(seen["beyond"], Value::Array(Vec::new()), "{seen}");
        assert_eq!(seen["requests"], Value::Array(Vec::new()), "{seen}");
        assert_eq!((seen["background"].as_str(), seen["paper"].as_str()), (Some(background), Some(background)));
        assert_ne!(seen["ink"], seen["background"]);
        let colors = seen["colors"].as_array().unwrap();
        assert!(colors.len() == 11 && colors.iter().all(|n| n.as_u64().unwrap() > 10), "{seen}");
        assert!(seen["letters"].as_u64().unwrap() > 1000);
        // Figures are as wide as they may be.
        assert!(
            seen["least"].as_f64().unwrap() > 340.0 && seen["most"].as_f64().unwrap() <= f64::from(width),
            "{seen}"
        );
    }
}
