"""Membership: which nodes work together now. Rule: it knows no write but those that a view has to settle.

view_id           how a view is named
history           what a side of a cut has behind it, and which side stays when they meet
view              a view, and how the writes in flight are settled when it begins
failure_detector  who is heard, who is gone, whose lease this node holds
one_way           two nodes of which only one hears the other
view_change       who proposes the next view, who votes for it, and when
event_log         what the operator reads of it
"""
