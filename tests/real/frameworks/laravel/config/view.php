<?php
// There are no views, but Laravel's JSON responses come from the factory that knows them.
return ['paths' => [], 'compiled' => storage_path('framework')];
