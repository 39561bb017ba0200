"""The themes an operator chooses among: few, and each of them readable."""

from __future__ import annotations

from textual.theme import Theme

LIGHT = Theme(
    name="light",
    dark=False,
    primary="#0050a0",
    secondary="#004080",
    accent="#8a4b00",
    warning="#8a4b00",
    error="#a0102c",
    success="#0a5c26",
    foreground="#1a1a1a",
    background="#fbfbfb",
    surface="#f0f0f0",
    panel="#e2e2e2",
    variables={
        "text": "#1a1a1a",
        "text-muted": "#505050",
        "text-accent": "#733f00",
        "text-warning": "#733f00",
        "text-error": "#97102a",
        "text-success": "#0a5c26",
        "block-cursor-background": "#0050a0",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#cfe0f2",
        "block-cursor-blurred-foreground": "#1a1a1a",
    },
)
CONTRAST = Theme(
    name="contrast",
    dark=True,
    primary="#ffff00",
    secondary="#ffffff",
    accent="#00ffff",
    warning="#ffff00",
    error="#ff8080",
    success="#00ff66",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    variables={
        "text": "#ffffff",
        "text-muted": "#d0d0d0",
        "text-accent": "#00ffff",
        "text-warning": "#ffff00",
        "text-error": "#ff8080",
        "text-success": "#00ff66",
        "block-cursor-background": "#ffff00",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#505050",
        "block-cursor-blurred-foreground": "#ffffff",
    },
)
OURS = (LIGHT, CONTRAST)

CHOICES = (
    ("textual-dark", "d", "Dark"),
    ("light", "l", "Light"),
    ("contrast", "c", "High contrast: bright on black"),
    ("ansi-dark", "t", "The terminal's own colours, on dark"),
    ("ansi-light", "b", "The terminal's own colours, on bright"),
)
"""The name of each theme, the letter that chooses it, and what it is like."""
