from .event_correlation import correlate_events as correlate_events
