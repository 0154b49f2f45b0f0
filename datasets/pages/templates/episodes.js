// One step of an episode, shown everywhere at once: in the videos, as a line in every plot, and in the table of tokens.
for (const episode of document.querySelectorAll("[data-steps]")) {
  const steps = Number(episode.dataset.steps);
  const slider = episode.querySelector("input"), number = episode.querySelector("output");
  const button = episode.querySelector("button");
  const videos = [...episode.querySelectorAll("video")], rows = [...episode.querySelectorAll("tbody tr")];
  const lines = [...episode.querySelectorAll(".plot svg")].map((svg) => {
    const line = document.createElementNS(svg.namespaceURI, "line");
    line.setAttribute("class", "cursor");
    line.setAttribute("y2", svg.viewBox.baseVal.height);
    svg.append(line);
    return { line, margin: Number(svg.dataset.margin), width: svg.viewBox.baseVal.width };
  });
  const show = (step) => {
    slider.value = number.value = step;
    for (const { line, margin, width } of lines) {
      const x = margin + (steps > 1 ? step / (steps - 1) : 0) * (width - 2 * margin);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    rows.forEach((row, index) => row.classList.toggle("now", index === step));
  };
  const play = (on) => {
    button.textContent = on ? "Pause" : "Play";
    for (const video of videos) on ? video.play() : video.pause();
  };
  slider.addEventListener("input", () => {
    const step = Number(slider.value);
    play(false);
    for (const video of videos) video.currentTime = ((step + 0.5) / steps) * video.duration;
    show(step);
  });
  button.addEventListener("click", () => play(videos.some((video) => video.paused)));
  button.hidden = videos.length === 0;
  const follow = () => {
    const [first, ...others] = videos;
    if (!first.paused && first.duration) {
      show(Math.min(steps - 1, Math.floor((first.currentTime / first.duration) * steps)));
      for (const video of others) if (Math.abs(video.currentTime - first.currentTime) > 0.1) video.currentTime = first.currentTime;
    }
    requestAnimationFrame(follow);
  };
  show(0);
  if (videos.length) follow();
}
