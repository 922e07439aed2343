"""What PHP's session handlers call a session, and where they keep it. Rule: nothing here reads or writes any.

item        one session on its way
forms       what each of PHP's handlers calls a session, and which of its values others can read
places      where sessions are, as php.ini says it
old_store   where sessions are that are not here, and as what they are kept when they come
"""
