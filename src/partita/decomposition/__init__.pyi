from ._base import Decomposition as Decomposition, Fit as Fit, Signals as Signals
from .fast_ica import FastICA as FastICA
from .memory_estimate import estimate_memory as estimate_memory
from .nmf import NMF as NMF
from .pca import PCA as PCA
from .persistence import load_model as load_model, save as save
