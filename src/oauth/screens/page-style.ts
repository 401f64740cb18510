/**
 * The look of every page, inline and allowed by its hash. Colours are pairs for light and dark; `page-style.test.ts` holds
 * each pair of text and ground to a contrast of 4.5 (WCAG 2.2, 1.4.3), and of borders and focus rings to 3 (1.4.11).
 */
export const pageStyle = `
:root{color-scheme:light dark;
--ground:#f4f5f7;--card:#ffffff;--text:#1b2027;--quiet:#56606c;--line:#d9dde3;--edge:#7c8794;--field:#ffffff;
--accent:#2450c8;--accent-over:#1b3fa3;--on-accent:#ffffff;--tint:#eef2fd;
--bad:#b3261e;--bad-tint:#fdf0ef;--good:#1c6b3c;--good-tint:#edf7f0}
@media (prefers-color-scheme:dark){:root{
--ground:#0e1116;--card:#171b22;--text:#e9ecf1;--quiet:#a5aebb;--line:#2c333d;--edge:#77818f;--field:#11151b;
--accent:#8fb0ff;--accent-over:#b1c8ff;--on-accent:#0d1526;--tint:#1d2534;
--bad:#ffb4ab;--bad-tint:#331a19;--good:#8fd6a8;--good-tint:#16291d}}
*,*::before,*::after{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;padding:clamp(1.25rem,6vh,4.5rem) 1rem 2rem;
background:var(--ground);color:var(--text);overflow-wrap:anywhere}
.brand{display:flex;align-items:center;gap:.6rem;margin:0 0 1.5rem;font-weight:600;letter-spacing:.005em}
.brand svg{flex:none;width:1.6rem;height:1.6rem;color:var(--accent)}
main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:clamp(1.25rem,5vw,2.25rem);
box-shadow:0 1px 2px rgb(15 20 30/.04),0 8px 28px rgb(15 20 30/.06)}
main.wide{max-width:44rem}
main>:first-child,section>:first-child{margin-top:0}
main>:last-child{margin-bottom:0}
h1{font-size:1.5rem;line-height:1.25;letter-spacing:-.012em;font-weight:650;margin:0 0 .5rem}
h2{font-size:1.0625rem;line-height:1.35;font-weight:650;margin:0 0 .35rem}
p{margin:0 0 1rem}
.quiet{color:var(--quiet)}
.small{font-size:.875rem}
a{color:var(--accent);text-underline-offset:.18em}
a:hover{color:var(--accent-over)}
form{margin:1.5rem 0 0}
form.plain{margin:0}
label{display:block;font-weight:550;margin:0 0 .375rem}
.field{margin:0 0 1.125rem}
.hint{display:block;color:var(--quiet);font-size:.875rem;margin:.375rem 0 0}
input:not([type=hidden]):not([type=checkbox]){display:block;width:100%;min-height:2.875rem;padding:.55rem .8rem;font:inherit;color:inherit;
background:var(--field);border:1px solid var(--edge);border-radius:.6rem}
input.code{font-size:1.375rem;letter-spacing:.14em;font-variant-numeric:tabular-nums}
input[aria-invalid=true]:not([type=hidden]):not([type=checkbox]){border-color:var(--bad)}
.check{display:flex;gap:.65rem;align-items:flex-start;font-weight:400;margin:0 0 1.125rem}
.check input{width:1.15rem;height:1.15rem;margin:.2rem 0 0;flex:none;accent-color:var(--accent)}
button,.button{display:inline-flex;max-width:100%;align-items:center;justify-content:center;min-height:2.875rem;padding:.55rem 1.2rem;font:inherit;font-weight:600;
line-height:1.3;text-align:center;text-decoration:none;border:1px solid transparent;border-radius:.6rem;background:var(--accent);color:var(--on-accent);cursor:pointer}
button:hover,.button:hover{background:var(--accent-over);color:var(--on-accent)}
button.second{background:transparent;color:var(--text);border-color:var(--edge)}
button.second:hover{background:var(--tint);color:var(--text)}
button.link{min-height:2.25rem;padding:.25rem .35rem;background:none;color:var(--quiet);font-weight:500;text-decoration:underline;text-underline-offset:.18em}
button.link:hover{background:none;color:var(--text)}
button.slight{min-height:2.25rem;padding:.25rem .8rem;font-size:.9375rem}
.full{width:100%}
.choices{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.75rem 0 0}
.choices>*{flex:1 1 9rem}
.centred{text-align:center;margin:1rem 0 0}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.or{display:flex;align-items:center;gap:.9rem;color:var(--quiet);font-size:.875rem;margin:1.5rem 0}
.or::before,.or::after{content:"";flex:1;border-top:1px solid var(--line)}
.or+form{margin-top:0}
.notice{border-radius:.6rem;padding:.75rem .95rem;margin:1rem 0;background:var(--tint)}
.notice.bad{background:var(--bad-tint);color:var(--bad)}
.notice.good{background:var(--good-tint);color:var(--good)}
.app{display:flex;gap:.9rem;align-items:center;margin:0 0 1.25rem}
.app .mark{flex:none;display:grid;place-items:center;width:3rem;height:3rem;border-radius:.8rem;background:var(--tint);color:var(--accent);font-weight:700;font-size:1.25rem}
.app h1{margin:0}
.rights{list-style:none;margin:1rem 0;padding:0;border:1px solid var(--line);border-radius:.75rem}
.rights li{display:flex;gap:.7rem;padding:.8rem 1rem}
.rights li+li{border-top:1px solid var(--line)}
.rights svg{flex:none;width:1.15rem;height:1.15rem;margin-top:.2rem;color:var(--accent)}
.rights .at{display:block;color:var(--quiet);font-size:.875rem}
.codeline{display:block;font:600 1.75rem/1.3 ui-monospace,"SFMono-Regular",Menlo,Consolas,monospace;letter-spacing:.08em;text-align:center;
padding:1rem;margin:1.25rem 0;border-radius:.75rem;background:var(--tint)}
.codeline.long{font-size:1.0625rem;letter-spacing:.04em}
dl{display:grid;grid-template-columns:minmax(5.5rem,auto) 1fr;gap:.4rem 1rem;margin:1rem 0}
dt{color:var(--quiet)}
dd{margin:0}
section{padding:1.75rem 0;border-top:1px solid var(--line);margin:0}
section:last-child{padding-bottom:0}
.rows{list-style:none;margin:1rem 0;padding:0}
.rows li{display:flex;flex-wrap:wrap;gap:.35rem 1rem;align-items:center;justify-content:space-between;padding:.7rem 0}
.rows li+li{border-top:1px solid var(--line)}
.rows .what{flex:1 1 14rem;min-width:0}
.head{display:flex;flex-wrap:wrap;gap:.5rem 1rem;justify-content:space-between;align-items:flex-start;padding-bottom:1.5rem}
details summary{cursor:pointer;font-weight:550;padding:.35rem 0}
footer{margin:1.5rem 0 0;color:var(--quiet);font-size:.875rem;text-align:center}
[hidden]{display:none!important}
@media (prefers-reduced-motion:no-preference){button,.button,a{transition:background-color .12s,color .12s}}
@media (max-width:24rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}.choices>*{flex-basis:100%}}
`;
