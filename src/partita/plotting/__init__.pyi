from .components import plot_components as plot_components
from .maps import plot_map as plot_map
from .motion import plot_motion as plot_motion
from .signals import plot_signals as plot_signals
