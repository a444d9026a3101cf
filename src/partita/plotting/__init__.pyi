from .carpet import plot_carpet as plot_carpet
from .components import plot_components as plot_components
from .descriptions import describe as describe
from .footprints import plot_footprints as plot_footprints
from .losses import plot_losses as plot_losses
from .maps import plot_map as plot_map
from .motion import plot_motion as plot_motion
from .signals import plot_signals as plot_signals
