"""What no screen need say itself: tooltips that are the parts' own names, and names of bars of tabs."""

from __future__ import annotations

from PySide6.QtWidgets import QTabBar, QTabWidget, QWidget

from studio.plain import tip


def complete(screen: QWidget) -> None:
    """Give a part that has a name for screen readers and no tooltip its name as one; name the bars of tabs."""
    for tabs in screen.findChildren(QTabWidget):
        _name_bar(tabs.tabBar(), tabs.accessibleName())
    for part in screen.findChildren(QWidget):
        if part.accessibleName() and not part.toolTip():
            part.setToolTip(tip(part.accessibleName()))


def _name_bar(bar: QTabBar, name: str) -> None:
    if not bar.accessibleName():
        bar.setAccessibleName(name or "Pages")
    if not bar.toolTip():
        bar.setToolTip("Left and Right go from page to page.")
